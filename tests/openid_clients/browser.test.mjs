// oidc-client-ts, in an app that has no server, in headless Chromium.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { startBrowser, visitor } from "../browser/support/browser.mjs";
import { ask, newest } from "../browser/support/steps.mjs";
import { NAME, NUMBER, client, startProvider } from "./support/provider.mjs";

const LIBRARY = await readFile(join(process.env.PACKAGES, "node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js"));

const page = (issuer) => `<!doctype html><html lang="en"><title>App</title><link rel="icon" href="data:,">
<main></main><button id="in">Sign in</button><button id="out">Sign out</button>
<script src="/oidc-client-ts.js"></script>
<script type="module">
  const manager = new oidc.UserManager({
    authority: "${issuer}", client_id: "oidc-client-ts", scope: "openid profile phone", loadUserInfo: true,
    redirect_uri: location.origin + "/callback", post_logout_redirect_uri: location.origin + "/bye",
  });
  if (location.pathname === "/callback") {
    await manager.signinCallback();
    history.replaceState(null, "", "/");
  }
  if (location.pathname === "/bye") await manager.signoutCallback();
  const user = await manager.getUser();
  document.querySelector("main").textContent = user ? JSON.stringify(user.profile) : "Nobody is signed in";
  document.querySelector("#in").onclick = () => manager.signinRedirect();
  document.querySelector("#out").onclick = () => manager.signoutRedirect();
</script></html>`;

let browser, provider, app;
before(async () => {
  app = createServer((request, response) => {
    const isLibrary = request.url === "/oidc-client-ts.js";
    response.writeHead(200, { "Content-Type": isLibrary ? "text/javascript" : "text/html" });
    response.end(isLibrary ? LIBRARY : page(provider.url));
  });
  await new Promise((done) => app.listen(0, "127.0.0.1", done));
  app.origin = `http://localhost:${app.address().port}`;
  const entry = client("oidc-client-ts", "/callback", { secret_hashes: undefined });
  provider = await startProvider([entry], { CORS_ORIGINS: app.origin, TEST_NUMBERS: "" });
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await provider?.stop();
  app?.closeAllConnections();
  app?.close();
});

test("oidc-client-ts", async () => {
  const asha = await visitor(browser, { ...provider, others: [app.origin] });
  const inbox = await asha.open("/dev/inbox");
  const page = await asha.open(`${app.origin}/`);
  const main = page.locator("main");
  await page.bringToFront();
  await main.getByText("Nobody is signed in").waitFor();
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Sign in to oidc-client-ts" }).waitFor();
  await ask(page);
  await (await newest(inbox)).use();
  await main.getByText(NUMBER).waitFor();
  const { sub, name, phone_number } = JSON.parse(await main.innerText());
  assert.deepEqual([sub, name, phone_number], ["1", NAME, NUMBER]);

  // The sign-in page finds that its own token is over.
  asha.expectStatus(401);
  await page.getByRole("button", { name: "Sign out" }).click();
  await main.getByText("Nobody is signed in").waitFor();
  assert.equal(page.url().split("?")[0], `${app.origin}/bye`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Sign in to oidc-client-ts" }).waitFor();
  await asha.leave();
});
