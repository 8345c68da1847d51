// Who is signed in, on two devices; and the inbox itself.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { isAccessible, startBrowser, visitor } from "./support/browser.mjs";
import { startService } from "./support/service.mjs";
import { NAME, NUMBER, ask, newest, signIn } from "./support/steps.mjs";

const IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/604.1";

let browser, service;
before(async () => {
  browser = await startBrowser();
  service = await startService({ SEND_COOLDOWN_SECONDS: "0", SENDS_PER_NUMBER_HOUR: "0", OTP_LENGTH: "8" });
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

test("sessions are listed and ended", async () => {
  const phone = await visitor(browser, service, { userAgent: IPHONE });
  const laptop = await visitor(browser, service);
  const away = await phone.open("/");
  await signIn(away, await phone.open("/dev/inbox"), NUMBER, 1);
  const here = await laptop.open("/");
  await signIn(here, await laptop.open("/dev/inbox"), NUMBER, 2);
  const sessions = here.locator("#sessions li");
  await sessions.nth(1).waitFor();
  assert.match(await sessions.first().innerText(), /Chrome on Linux\s*This device/);
  await isAccessible(here, "sessions");
  await here.getByRole("button", { name: "End the session on Safari on iOS" }).click();
  await here.getByText("The session was ended.").waitFor({ state: "attached" });
  assert.equal(await sessions.count(), 1);
  phone.expectStatus(401);
  await away.reload();
  await away.getByText("Your session has ended. Sign in again.").waitFor();

  await signIn(await phone.open("/"), await phone.open("/dev/inbox"), NUMBER, 3);
  await here.reload();
  await here.getByRole("button", { name: "End all others" }).click();
  await here.getByText("All other sessions were ended.").waitFor({ state: "attached" });
  assert.equal(await sessions.count(), 1);
  await phone.leave();
  await laptop.leave();
});

test("a stranger's request in between does not name the account", async () => {
  const number = "+919876543225";
  const asha = await visitor(browser, service);
  const [page, inbox] = [await asha.open("/"), await asha.open("/dev/inbox")];
  await page.bringToFront();
  await ask(page, number);
  const body = JSON.stringify({ name: "Mallory", phone_number: number });
  const answer = await fetch(`${service.url}/signup`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
  assert.equal(answer.status, 200);
  const { use } = await newest(inbox, number, 2);
  await use();
  await page.getByRole("heading", { name: `Hello, ${NAME}` }).waitFor();
  await asha.leave();
});

test("the inbox shows the newest first, and copies a code that no page waits for", async () => {
  const asha = await visitor(browser, service);
  const inbox = await asha.open("/dev/inbox");
  await inbox.getByText("Live", { exact: true }).waitFor();
  const [first, second] = ["+919876543221", "+919876543222"];
  const page = await asha.open("/");
  await ask(page, first);
  const { code } = await newest(inbox, first);
  assert.match(code, /^\d{8}$/);
  await page.goto("/");
  await ask(page, second);
  await newest(inbox, second);
  assert.match(await inbox.locator("#messages li").first().innerText(), /To \+919876543222/);
  // The page waits for the second number's code.
  await inbox.bringToFront();
  const older = inbox.locator("#messages li").filter({ hasText: first });
  await older.getByRole("button").click();
  await older.getByText("Copied").waitFor();
  assert.equal(await inbox.evaluate(() => navigator.clipboard.readText()), code);
  await newest(await asha.open("/dev/inbox"), first);
  await asha.leave();
});
