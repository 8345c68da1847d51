// A person's browser: app, sign-in page, code, app, sign-out, shut. By each gateway.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startBrowser, visitor } from "../browser/support/browser.mjs";
import { freePort, startService } from "../browser/support/service.mjs";
import { NAME, ask, newest } from "../browser/support/steps.mjs";
import { startApp } from "./support/app.mjs";
import { GATEWAYS, startGateway } from "./support/gateways.mjs";

let app, browser, service;
const gateways = {};
before(async () => {
  [app, browser] = [await startApp(), await startBrowser()];
  const ports = await Promise.all([...Object.keys(GATEWAYS), "page"].map(freePort));
  const page = ports.pop();
  service = await startService({ PORT: String(page), PUBLIC_URL: `http://127.0.0.1:${page}`, SIGN_IN_REDIRECT: "on",
    RETURN_TO_ORIGINS: ports.map((port) => `http://127.0.0.1:${port}`).join(), SEND_COOLDOWN_SECONDS: "0",
    SENDS_PER_NUMBER_HOUR: "0", SENDS_PER_NUMBER_DAY: "0" });
  const cheershare = service.url.replace("http://", "");
  for (const name of Object.keys(GATEWAYS)) gateways[name] = await startGateway(name, cheershare, app.address, ports.shift());
});
after(async () => {
  for (const gateway of Object.values(gateways)) await gateway.stop();
  await browser?.close();
  await service?.stop();
  await app?.stop();
});

for (const [at, name] of Object.keys(GATEWAYS).entries()) {
  test(`${name}: in by a code, back to the app, and out again`, async () => {
    const number = `+9198765432${10 + at}`;
    const url = `http://${gateways[name].address}/orders?from=1&to=2`;
    const asha = await visitor(browser, { url: service.url, others: [`http://${gateways[name].address}`] });
    const inbox = await asha.open("/dev/inbox");
    const page = await asha.open(url);
    await page.bringToFront();
    await ask(page, number);
    await (await newest(inbox, number)).use();
    await page.waitForURL(url);
    const told = JSON.parse(await page.locator("pre").innerText()).rawHeaders;
    assert.equal(told[told.findIndex((text) => text.toLowerCase() === "x-user-phone-number") + 1], number);

    // In another tab, which has no token, and with a link back.
    const out = await asha.open(`/?return_to=${encodeURIComponent(url)}`);
    await out.getByRole("heading", { name: `Hello, ${NAME}` }).waitFor();
    assert.equal(await out.getByRole("link", { name: "Continue to" }).getAttribute("href"), url);
    await out.getByRole("button", { name: "Sign out" }).click();
    await out.getByRole("heading", { name: "Sign in" }).waitFor();
    asha.expectStatus(401);
    await page.goto(url);
    await page.getByText("Your session has ended. Sign in again.").waitFor();
    await asha.leave();
  });
}
