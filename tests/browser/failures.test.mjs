// What can go wrong on the way of a message, and in time.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { isAccessible, picture, startBrowser, visitor } from "./support/browser.mjs";
import { startFakeWebhook } from "./support/fake_webhook.mjs";
import { startService } from "./support/service.mjs";
import { ask, focused } from "./support/steps.mjs";

let browser, provider, service;
before(async () => {
  browser = await startBrowser();
  provider = await startFakeWebhook();
  service = await startService({ ...provider.settings, OTP_TTL_SECONDS: "30", SEND_COOLDOWN_SECONDS: "20" });
});
after(async () => {
  await browser?.close();
  await service?.stop();
  await provider?.stop();
});

test("with a real provider there is no inbox, and no word of it", async () => {
  const asha = await visitor(browser, service);
  const page = await asha.open("/");
  assert.ok(await page.locator("#inbox").isHidden());
  asha.expectStatus(404);
  await page.goto("/dev/inbox");
  assert.match(await page.locator("body").innerText(), /"not_found"/);
  await asha.leave();
});

test("a message that cannot be sent says so, and what to do", async () => {
  const asha = await visitor(browser, service, { viewport: { width: 480, height: 760 } });
  Object.assign(provider, { status: 400, body: { code: 21614 } });
  const page = await asha.open("/");
  await ask(page, "+919876543231");
  await page.getByText("Your message could not be sent. This number takes no text messages. Use a mobile number.").waitFor();
  await isAccessible(page, "a failed delivery");
  await picture(page, "failed", { fullPage: true });
  await page.getByRole("button", { name: "Change the number", exact: true }).last().click();
  assert.equal(await focused(page), "number");
  await asha.leave();
});

test("a code expires on the page too, and a new one can be asked for", async () => {
  const asha = await visitor(browser, service, { viewport: { width: 480, height: 760 } });
  Object.assign(provider, { status: 200, body: {} });
  const page = await asha.open("/");
  await ask(page, "+919876543232");
  await page.getByText("Your message was sent.").waitFor();
  assert.match(await page.locator("#expiry").innerText(), /^Good for 0:(30|2\d)$/);
  await page.getByText("This code has expired. Send a new one.").waitFor({ timeout: 60_000 });
  assert.ok(await page.locator("#otp").isDisabled());
  assert.equal(await focused(page), "resend");
  await isAccessible(page, "an expired code");
  await picture(page, "expired", { fullPage: true });
  await page.getByRole("button", { name: "Send a new code", exact: true }).click();
  await page.getByText(/^Good for 0:/).waitFor();
  assert.equal(await focused(page), "otp");
  await page.getByText("Your message was sent.").waitFor();
  const last = provider.messages.at(-1);
  assert.equal(last.to, "+919876543232");
  await page.locator("#otp").pressSequentially(last.body.match(/\d{6}/)[0]);
  await page.getByRole("heading", { name: "Hello, Asha" }).waitFor();
  await asha.leave();
});

test("a service that is gone is told from a wrong code, and the try can be repeated", async () => {
  const asha = await visitor(browser, service);
  const page = await asha.open("/");
  await page.route("**/signup", (route) => route.abort("connectionrefused"), { times: 1 });
  await page.getByLabel("Phone number").fill("+919876543233");
  await page.getByLabel("Your name").fill("Asha");
  asha.expectText("console: Failed to load resource: net::ERR_CONNECTION_REFUSED");
  const lost = page.waitForRequest("**/signup");
  await page.getByRole("button", { name: "Text me a code" }).click();
  await page.getByText("The service cannot be reached.").waitFor();
  const repeated = page.waitForRequest("**/signup");
  await page.getByRole("button", { name: "Text me a code" }).click();
  await page.getByRole("heading", { name: "Enter your code" }).waitFor();
  const keyOf = async (request) => (await request).headers()["idempotency-key"];
  assert.equal(await keyOf(repeated), await keyOf(lost));
  await asha.leave();
});
