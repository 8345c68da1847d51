// A code that lives can be entered: after a reload, a change of mind, and a stranger's request.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startBrowser, visitor } from "./support/browser.mjs";
import { startService } from "./support/service.mjs";
import { NAME, another, ask, focused, newest } from "./support/steps.mjs";

const APP_NAME = "Expo 2027";

let browser, service;
before(async () => {
  browser = await startBrowser();
  // A code may be as long as the digits in the app's name.
  service = await startService({ APP_NAME, OTP_LENGTH: "4", SEND_COOLDOWN_SECONDS: "600" });
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

const greeted = (page, name = NAME) => page.getByRole("heading", { name: `Hello, ${name}` }).waitFor();

test("a reload leads back to the code, which is nowhere kept", async () => {
  const number = "+919876543241";
  const asha = await visitor(browser, service);
  const [page, inbox] = [await asha.open("/"), await asha.open("/dev/inbox")];
  await page.bringToFront();
  await ask(page, number);
  const { code, use } = await newest(inbox, number);
  asha.expectStatus(401);
  await page.locator("#otp").pressSequentially(another(code));
  await page.getByText("This code is wrong or has expired.").waitFor();
  await page.locator("#otp").pressSequentially(code.slice(0, 3));
  await page.reload();
  await page.getByRole("heading", { name: "Enter your code" }).waitFor();
  assert.equal(await focused(page), "otp");
  assert.equal(await page.locator("#to").innerText(), "+91 98765 43241");
  assert.equal(await page.locator("#otp").inputValue(), "");
  assert.match(await page.locator("#expiry").innerText(), /^Good for (5:00|4:\d\d)$/);
  assert.match(await page.locator("#resend").innerText(), /^Send again in (10:00|9:\d\d)$/);
  await page.getByText("Your message was sent.").waitFor();
  const kept = await page.evaluate(() => JSON.stringify({ ...sessionStorage }));
  for (const secret of [code, another(code)]) assert.ok(!kept.replace(/\d{13}/g, "").includes(secret), kept);
  await use();
  await greeted(page);
  assert.deepEqual(await page.evaluate(() => Object.keys(sessionStorage)), ["token"]);
  await asha.leave();
});

test("Change and the same number again leads back, from another number too", async () => {
  const [first, second] = ["+919876543242", "+919876543243"];
  const asha = await visitor(browser, service);
  const [page, inbox] = [await asha.open("/"), await asha.open("/dev/inbox")];
  await page.bringToFront();
  const change = async (number, name = NAME) => {
    await page.getByRole("button", { name: "Change the number" }).first().click();
    await page.getByLabel("Phone number").fill("");
    await ask(page, number, name);
    assert.equal(await focused(page), "otp");
  };
  await ask(page, first);
  await change(second);
  assert.equal(await page.locator("#to").innerText(), "+91 98765 43243");
  await change(first, "Asha Rao");
  assert.equal(await page.locator("#to").innerText(), "+91 98765 43242");
  const { use } = await newest(inbox, first);
  assert.equal(await inbox.locator("#messages li").filter({ hasText: first }).count(), 1);
  await use();
  await greeted(page, "Asha Rao");
  await asha.leave();
});

test("a code that is burned leads nowhere", async () => {
  const number = "+919876543244";
  const asha = await visitor(browser, service);
  const [page, inbox] = [await asha.open("/"), await asha.open("/dev/inbox")];
  await page.bringToFront();
  await ask(page, number);
  const { code } = await newest(inbox, number);
  for (let step = 1; step <= 5; step += 1) {
    // Guesses are counted over a reload.
    if (step === 3) await page.reload();
    await page.locator("#otp:enabled").waitFor();
    asha.expectStatus(401);
    const answer = page.waitForResponse("**/signup");
    await page.locator("#otp").pressSequentially(another(code, step));
    await answer;
    await page.locator("#verify .main:not([aria-busy])").waitFor({ state: "attached" });
  }
  await page.getByText("Five wrong codes, so this one no longer works.").waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await asha.leave();
});

test("a message is pasted whole, and its code is found after its words", async () => {
  const asha = await visitor(browser, service);
  const page = await asha.open("/");
  await ask(page, "+919876543246");
  // It looks as if the service were busy: no guess is spent.
  await page.route("**/signup", (route) => route.fulfill({ status: 503, json: { code: "overloaded" } }));
  for (const [text, code] of [
    ["Thank you for choosing Expo 2027! Your one-time password is 4821.", "4821"],
    ["Welcome to the fair of 2027. Your code: 4822", "4822"],
    ["4823 is your code for 2027.", "4823"],
    ["2027: votre mot de passe 4824", "4824"],
    ["Since 1999, code 4820. Expo 2027", "4820"],
    [" 48 25", "4825"],
    ["48-26", "4826"],
    ["\u202a\u096a\u096e\u0968\u096d\u202c", "4827"],
    ["\uff14\uff18\uff12\uff18", "4828"],
  ]) {
    asha.expectStatus(503);
    const request = page.waitForRequest("**/signup");
    await page.evaluate((pasted) => navigator.clipboard.writeText(pasted), text);
    await page.locator("#otp").press("Control+V");
    assert.equal((await request).postDataJSON().otp, code, text);
    await page.locator("#verify .main:not([aria-busy])").waitFor();
  }
  await page.locator("#otp").press("9");
  assert.equal(await page.locator("#otp").inputValue(), "4828", "a digit too many is not taken");
  await asha.leave();
});
