// The sign-in page, with the code from the inbox beside it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { isAccessible, startBrowser, visitor } from "./support/browser.mjs";
import { startService } from "./support/service.mjs";
import { NAME, another, ask, focused, newest } from "./support/steps.mjs";
import { until } from "./support/until.mjs";

let browser, service;
before(async () => {
  browser = await startBrowser();
  service = await startService({
    SEND_COOLDOWN_SECONDS: "3",
    SENDS_PER_NUMBER_HOUR: "0",
    SENDS_PER_NUMBER_DAY: "0",
    ALLOWED_COUNTRIES: "IN,US,GB",
  });
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

test("somebody signs up with the code from the inbox, and out again", async () => {
  const asha = await visitor(browser, service);
  const [page, inbox] = [await asha.open("/"), await asha.open("/dev/inbox")];
  await isAccessible(page, "the first step");
  await isAccessible(inbox, "an empty inbox");

  await ask(page);
  assert.equal(await focused(page), "otp");
  assert.equal(await page.locator("#to").innerText(), "+91 98765 43210");
  assert.equal(await page.locator(".boxes span").count(), 6);
  assert.equal(await page.locator("#otp").getAttribute("autocomplete"), "one-time-code");
  await page.getByText("Your message was sent.").waitFor();
  await isAccessible(page, "the second step");

  const { code, use } = await newest(inbox);
  await isAccessible(inbox, "the inbox");
  await use();
  await page.getByRole("heading", { name: `Hello, ${NAME}` }).waitFor();
  assert.equal(await focused(page), "home-title");
  await inbox.getByText(`Filled in: ${code}`).waitFor({ state: "attached" });
  await page.getByText("This device").waitFor();
  assert.equal(await page.locator("#sessions li").count(), 1);
  await isAccessible(page, "the last step");

  await page.reload();
  await page.getByRole("heading", { name: `Hello, ${NAME}` }).waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.getByText("You are signed out.").waitFor({ state: "attached" });
  await page.reload();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  await asha.leave();
});

test("a number is grouped as it is typed, in every spelling", async () => {
  const asha = await visitor(browser, service);
  const page = await asha.open("/");
  const field = page.getByLabel("Phone number");
  const country = page.getByLabel("Country");
  assert.deepEqual(await country.locator("option").allInnerTexts(), ["India +91", "United Kingdom +44", "United States +1"]);
  for (const [typed, shown, chosen] of [
    ["98765", "98765", "IN"],
    ["9876543210", "98765 43210", "IN"],
    ["09876543210", "098765 43210", "IN"],
    ["+919876543210", "+91 98765 43210", "IN"],
    ["0044 7400 123456", "0044 7400 123456", "GB"],
    ["+1 (201) 555 0123", "+1 201-555-0123", "US"],
    ["+33612345678", "+33612345678", "US"],
    ["\uff0b919876543210", "+91 98765 43210", "IN"],
    ["\u0669\u0668\u0667\u0666\u0665\u0664\u0663\u0662\u0661\u0660", "98765 43210", "IN"],
  ]) {
    await field.fill("");
    await field.pressSequentially(typed);
    assert.deepEqual([await field.inputValue(), await country.inputValue()], [shown, chosen], typed);
  }
  await field.fill("");
  await field.pressSequentially("+91 98");
  for (const left of ["+91 9", "+91", "+9", "+", ""]) {
    await field.press("Backspace");
    assert.equal(await field.inputValue(), left, "all that was typed can be taken back");
  }
  await field.pressSequentially("+9198765");
  await country.selectOption("US");
  assert.deepEqual([await field.inputValue(), await country.inputValue()], ["987-65", "US"]);
  await country.selectOption("IN");
  await field.fill("");
  await field.pressSequentially("9876543210");
  for (let step = 0; step < 6; step += 1) await field.press("ArrowLeft");
  await field.press("Backspace");
  assert.equal(await field.inputValue(), "98764 3210");
  await field.pressSequentially("5");
  assert.equal(await field.inputValue(), "98765 43210", "what is corrected in the middle stays there");
  await asha.leave();
});

test("a number that is pasted or filled in loses the calling code, and is sent whole", async () => {
  const asha = await visitor(browser, service);
  const page = await asha.open("/");
  const [field, country] = [page.getByLabel("Phone number"), page.getByLabel("Country")];
  let sent;
  await page.route("**/signup", (route) => {
    sent = route.request().postDataJSON().phone_number;
    return route.abort("connectionrefused");
  });
  await page.getByLabel("Your name").fill(NAME);
  for (const [given, home, shown, chosen, e164] of [
    ["+919876543210", "IN", "98765 43210", "IN", "+919876543210"],
    ["919876543210", "IN", "98765 43210", "IN", "+919876543210"],
    ["00919876543210", "IN", "98765 43210", "IN", "+919876543210"],
    ["(+91) 98765-43210", "IN", "98765 43210", "IN", "+919876543210"],
    ["TEL:+919876543210", "IN", "98765 43210", "IN", "+919876543210"],
    ["\u202a+91 98765 43210\u202c", "IN", "98765 43210", "IN", "+919876543210"],
    ["98765\u221243210,", "IN", "98765 43210", "IN", "+919876543210"],
    ["+\u096f\u0967 \u096f\u096e\u096d\u096c\u096b \u096a\u0969\u0968\u0967\u0966", "IN", "98765 43210", "IN", "+919876543210"],
    ["\u{1e959}\u{1e958}765\uff143210", "IN", "98765 43210", "IN", "+919876543210"],
    ["12015550123", "US", "201-555-0123", "US", "+12015550123"],
    ["+447400123456", "IN", "7400 123456", "GB", "+447400123456"],
    ["+33612345678", "IN", "+33612345678", "IN", "+33612345678"],
  ]) {
    await country.selectOption(home);
    await field.fill("");
    await field.fill(given);
    assert.deepEqual([await field.inputValue(), await country.inputValue()], [shown, chosen], given);
    asha.expectText("console: Failed to load resource: net::ERR_CONNECTION_REFUSED");
    const failed = page.waitForEvent("requestfailed");
    await page.getByRole("button", { name: "Text me a code" }).click();
    await failed;
    assert.equal(sent, e164, given);
    await page.locator("#ask .main:not([aria-busy])").waitFor();
  }
  await country.selectOption("IN");
  await field.fill("");
  await field.focus();
  await page.evaluate(() => navigator.clipboard.writeText("+91 98765 43210"));
  await field.press("Control+V");
  assert.equal(await field.inputValue(), "98765 43210");
  await asha.leave();
});

test("what is wrong in the first step is said at its field", async () => {
  const asha = await visitor(browser, service);
  const page = await asha.open("/");
  const submit = page.getByRole("button", { name: "Text me a code" });
  const says = (text) => page.locator("#ask-error").filter({ hasText: text }).waitFor();
  await submit.click();
  await says("Enter your phone number.");
  assert.equal(await focused(page), "number");
  await page.getByLabel("Phone number").fill("12345");
  await submit.click();
  await says("Enter your name.");
  assert.equal(await focused(page), "name");
  await page.getByLabel("Your name").fill(NAME);
  asha.expectStatus(400);
  await submit.click();
  await says("This phone number cannot exist.");
  assert.equal(await focused(page), "number");
  await isAccessible(page, "an error in the first step");
  await page.getByLabel("Phone number").fill("+33612345678");
  asha.expectStatus(403);
  await submit.click();
  await says("We cannot text this number.");
  await asha.leave();
});

test("all by keyboard, with a whole message pasted", async () => {
  const asha = await visitor(browser, service);
  const [page, inbox] = [await asha.open("/"), await asha.open("/dev/inbox")];
  await page.bringToFront();
  const order = [];
  for (let step = 0; step < 4; step += 1) {
    await page.keyboard.press("Tab");
    order.push(await page.evaluate(() => document.activeElement.id || document.activeElement.className));
    if (order.at(-1) === "number") await page.keyboard.type("9876543211");
    if (order.at(-1) === "name") await page.keyboard.type(NAME);
  }
  assert.deepEqual(order, ["country", "number", "name", "main"]);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Enter your code" }).waitFor();
  const { code } = await newest(inbox, "+919876543211");
  await page.evaluate((text) => navigator.clipboard.writeText(text), `Your 1-time password is ${code}.`);
  await page.locator("#otp").press("Control+V");
  await page.getByRole("heading", { name: `Hello, ${NAME}` }).waitFor();
  await asha.leave();
});

test("a wrong code, five times", async () => {
  const asha = await visitor(browser, service);
  const [page, inbox] = [await asha.open("/"), await asha.open("/dev/inbox")];
  await page.bringToFront();
  await ask(page, "+919876543212");
  const { code } = await newest(inbox, "+919876543212");
  const otp = page.locator("#otp");
  for (let step = 1; step <= 5; step += 1) {
    asha.expectStatus(401);
    const answer = page.waitForResponse("**/signup");
    await otp.pressSequentially(another(code, step));
    await answer;
    if (step === 5) break;
    await page.getByText("This code is wrong or has expired.").waitFor();
    await until("empty boxes", async () => (await otp.inputValue()) === "" && (await focused(page)) === "otp");
  }
  await page.getByText("Five wrong codes, so this one no longer works.").waitFor();
  assert.ok(await otp.isDisabled());
  await isAccessible(page, "a burned code");
  asha.expectStatus(429);
  await page.getByRole("button", { name: "Send a new code", exact: true }).click();
  await page.getByText(/Too many wrong codes, so this one no longer works. Try again in \d+ minutes\./).waitFor();
  assert.match(await page.locator("#resend").innerText(), /^Send a new code in \d:\d\d$/);
  await asha.leave();
});

test("a code can be sent again when its countdown is over", async () => {
  const asha = await visitor(browser, service);
  const [page, inbox] = [await asha.open("/"), await asha.open("/dev/inbox")];
  await page.bringToFront();
  await ask(page, "+919876543213");
  const resend = page.locator("#resend");
  assert.match(await resend.innerText(), /^Send again in 0:0[123]$/);
  assert.ok(await resend.isDisabled());
  assert.match(await page.locator("#expiry").innerText(), /^Good for (5:00|4:5\d)$/);
  const first = await newest(inbox, "+919876543213");
  await page.getByRole("button", { name: "Send again", exact: true }).click();
  const second = await newest(inbox, "+919876543213", 2);
  assert.equal(second.code, first.code, "the same code while it lives");
  await page.getByText("Sent again.").waitFor({ state: "attached" });
  assert.match(await resend.innerText(), /^Send again in 0:0[3456]$/, "the cooldown doubles");
  await page.getByRole("button", { name: "Change the number" }).first().click();
  assert.equal(await focused(page), "number");
  assert.equal(await page.getByLabel("Phone number").inputValue(), "98765 43213");
  await asha.leave();
});
