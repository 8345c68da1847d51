// The API reference: the examples work as they stand, and Authorize opens what is protected.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startBrowser, visitor } from "./support/browser.mjs";
import { startService } from "./support/service.mjs";
import { newest } from "./support/steps.mjs";

let browser, service;
before(async () => {
  browser = await startBrowser();
  service = await startService({ DEFAULT_COUNTRY: "GB" });
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

test("from the first example to a protected answer", async () => {
  const asha = await visitor(browser, service);
  const [page, inbox] = [await asha.open("/docs"), await asha.open("/dev/inbox")];
  await page.bringToFront();
  const signUp = page.locator("#operations-Sign-up-signUp");
  const body = signUp.locator("textarea.body-param__text");
  await body.waitFor();
  const request = JSON.parse(await body.inputValue());
  assert.match(request.phone_number, /^\+447/, "a number of the default country");
  await signUp.locator(".execute").click();
  const answer = signUp.locator(".live-responses-table .response").first();
  await answer.getByText("OTP sent successfully").waitFor();

  const { code } = await newest(inbox, request.phone_number);
  await signUp.locator(".examples-select-element").first().selectOption({ label: "2. Sign in with it" });
  const second = JSON.parse(await body.inputValue());
  assert.equal(second.phone_number, request.phone_number);
  await body.fill(JSON.stringify({ ...second, otp: code }));
  await signUp.locator(".execute").click();
  await answer.getByText("User registered successfully").waitFor();
  const token = (await answer.innerText()).match(/"token": "(\w{26})"/)[1];

  await page.locator(".scheme-container .authorize").click();
  const form = page.locator(".auth-container", { has: page.getByLabel("auth-bearer-value") });
  await form.getByLabel("auth-bearer-value").fill(token);
  await form.locator(".authorize").click();
  await page.locator(".auth-btn-wrapper .btn-done").first().click();
  const protectedOne = page.locator("#operations-Protected-getProtected");
  await protectedOne.locator(".opblock-summary-control").click();
  await protectedOne.locator(".execute").click();
  const opened = protectedOne.locator(".live-responses-table .response").first();
  await opened.getByText('"Protected"').waitFor();
  assert.match(await opened.innerText(), /^200/);
  await asha.leave();
});
