// The operators' console: a user who gets no SMS, found and helped; and the keyboard.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { isAccessible, picture, startBrowser } from "./support/browser.mjs";
import { confirm, find, holds, operator } from "./support/console.mjs";
import { startFakeWebhook } from "./support/fake_webhook.mjs";
import { startService } from "./support/service.mjs";
import { until } from "./support/until.mjs";

let browser, provider, service;
before(async () => {
  browser = await startBrowser();
  provider = await startFakeWebhook();
  service = await startService({ ...provider.settings, ADMIN_ADDR: "127.0.0.1:0", SENDS_PER_HOUR: "0", SEND_COOLDOWN_SECONDS: "300" });
});
after(async () => {
  await browser?.close();
  await service?.stop();
  await provider?.stop();
});

async function signUp(body) {
  const answer = await fetch(`${service.url}/signup`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return { status: answer.status, ...(await answer.json()) };
}

const ask = (number, name = "Asha") => signUp({ phone_number: number, name });
const codeOf = (number) => until(`an SMS to ${number}`, () =>
  provider.messages.findLast(({ to }) => to === number)?.body.match(/\b\d{6}\b/)?.[0]);

async function signIn(number, name = "Asha") {
  assert.equal((await ask(number, name)).status, 200);
  const answer = await signUp({ phone_number: number, otp: await codeOf(number), name });
  assert.equal(answer.status, 200);
  return answer;
}

async function holdsOf(page, number, pattern) {
  await until(`${pattern} of ${number}`, async () => {
    await find(page, number);
    return pattern.test(await page.locator("#content").innerText());
  });
}

test("cooldown: a person asked again at once; the history says so, and unlocking ends it", async () => {
  const number = "+919876543201";
  await signIn(number);
  assert.equal((await ask(number)).status, 200);
  const code = await codeOf(number);
  await signUp({ phone_number: number, otp: code === "111111" ? "222222" : "111111" });
  assert.equal((await ask(number)).code, "resend_cooldown");
  const priya = await operator(browser, service);
  const { page } = priya;
  // In another spelling, and with the account that it has.
  await find(page, "098765 43201");
  await page.getByRole("heading", { name: "Asha", level: 1 }).waitFor();
  const told = await page.locator(".happened").innerText();
  for (const words of [/SMS asked for [\d:]+, accepted by webhook [\d:]+/, /Wrong code/, /Refused: cooldown until [\d:]+/, /Right code/, /Account: Signed up/]) {
    assert.match(told, words);
  }
  assert.match(await holds(page).innerText(), /Cooldown: the next SMS may be asked for in \d+ seconds\./);
  await isAccessible(page, "a person");
  await page.getByRole("button", { name: "Unlock", exact: true }).click();
  await page.getByLabel("Why (a ticket, say)").fill("Ticket 4711");
  await isAccessible(page, "a question");
  await picture(page, "console-question");
  await page.getByRole("dialog").getByRole("button", { name: "Unlock", exact: true }).click();
  await page.getByText("Nothing: they can ask for a code and sign in.").waitFor();
  assert.equal((await ask(number)).status, 200);
  await page.getByRole("link", { name: "Actions" }).click();
  await page.getByText("Ticket 4711").waitFor();
  await priya.leave();
});

test("blocked: unblocking ends it, and is undone by one button", async () => {
  const number = "+919876543202";
  const priya = await operator(browser, service);
  const { page } = priya;
  await find(page, number);
  await confirm(page, "Block the number", "Block");
  await page.getByText("An operator has blocked this number").waitFor();
  assert.equal((await ask(number)).code, "number_blocked");
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByText("Nothing: they can").waitFor();
  await confirm(page, "Block the number", "Block");
  await page.getByText("An operator has blocked this number until").waitFor();
  await confirm(page, "Unblock");
  await page.getByText("Nothing: they can").waitFor();
  assert.equal((await ask(number)).status, 200);
  await priya.leave();
});

test("wrong country: the console says what to set", async () => {
  const number = "+33612345678";
  assert.equal((await ask(number)).code, "destination_not_allowed");
  const ravi = await operator(browser, service, "viewer");
  await find(ravi.page, number);
  const told = await holds(ravi.page).innerText();
  assert.match(told, /France is not served/);
  assert.match(told, /add it to ALLOWED_COUNTRIES/);
  // What a role may not do is not offered.
  assert.equal(await ravi.page.getByRole("button", { name: /Block|Erase|Unlock/ }).count(), 0);
  assert.equal(await ravi.page.getByRole("link", { name: "Keys" }).count(), 0);
  await ravi.leave();
});

test("opted out: nobody but the person can end it, and the console says how", async () => {
  const number = "+919876543203";
  Object.assign(provider, { status: 400, body: { code: 21610 } });
  await ask(number);
  const priya = await operator(browser, service);
  await holdsOf(priya.page, number, /the person opted out of SMS/);
  const told = await holds(priya.page).filter({ hasText: "did not arrive" }).innerText();
  assert.match(told, /they send START to the number that the SMS came from/);
  await priya.page.getByRole("link", { name: "Dead letters" }).click();
  await priya.page.getByRole("cell", { name: /opted out/ }).first().waitFor();
  Object.assign(provider, { status: 200, body: {} });
  await priya.leave();
});

test("the last SMS of all numbers, by status, reason and time, which stand in the address", async () => {
  await signIn("+919876543230");
  Object.assign(provider, { status: 400, body: { code: 21211 } });
  await ask("+919876543231");
  const ravi = await operator(browser, service, "viewer");
  const { page } = ravi;
  await page.getByRole("link", { name: "Deliveries" }).click();
  const row = (last, text) => page.getByRole("row").filter({ hasText: `+91********${last}` }).filter({ hasText: text });
  await row(30, "sent").waitFor();
  await until("a number that there is not", async () => {
    await page.getByRole("button", { name: "Show" }).click();
    return row(31, "there is no such number").isVisible();
  });
  Object.assign(provider, { status: 200, body: {} });
  await isAccessible(page, "deliveries");
  await page.getByLabel("Status").selectOption("failed");
  await page.getByLabel("Why").selectOption("invalid_number");
  await page.getByLabel("Since").fill("2026-01-01T00:00");
  await page.getByRole("button", { name: "Show" }).click();
  await until("the filters in the address", async () => /[?&]status=failed&reason=invalid_number&since=2026/.test(page.url()));
  await row(31, "failed").waitFor();
  assert.equal(await row(30, "").count(), 0);
  await page.reload();
  await row(31, "failed").waitFor();
  assert.equal(await page.getByLabel("Why").inputValue(), "invalid_number");
  await page.getByLabel("Number, in any spelling").fill("098765 43230");
  await page.getByLabel("Status").selectOption("");
  await page.getByLabel("Why").selectOption("");
  await page.getByRole("button", { name: "Show" }).click();
  await row(30, "sent").waitFor();
  const id = await row(30, "sent").locator("code").innerText();
  await page.goto(`${service.admin}/#/deliveries?id=${id}`);
  await row(30, "sent").waitFor();
  assert.equal(await page.getByRole("row").count(), 2);
  await ravi.leave();
});

test("provider down: the breaker is found open, and reset once the provider works", async () => {
  const number = "+919876543204";
  Object.assign(provider, { status: 503, body: {} });
  for (let last = 10; last < 16; last += 1) await ask(`+9198765432${last}`);
  await ask(number);
  const priya = await operator(browser, service);
  const { page } = priya;
  await until("an open breaker", async () => {
    await find(page, number);
    return /webhook is not called until/.test(await page.locator(".holds").innerText().catch(() => ""));
  }, 60);
  await page.getByRole("link", { name: "Overview" }).click();
  await page.getByText(/webhook is not called at the moment/).waitFor();
  Object.assign(provider, { status: 200, body: {} });
  await find(page, number);
  await confirm(page, "Reset the breaker of webhook", "Reset");
  await page.getByText(/webhook is not called until/).waitFor({ state: "hidden" });
  await codeOf(number);
  await priya.leave();
});

test("the overview counts what happened, and goes on by itself", async () => {
  const priya = await operator(browser, service);
  const { page } = priya;
  await page.getByText("Live", { exact: true }).waitFor();
  const shown = async (name) => Number((await page.locator(".tile", { has: page.getByRole("heading", { name, exact: true }) }).locator(".value").innerText()).replace(/\D/g, ""));
  const before = await shown("Verified");
  for (let last = 20; last < 25; last += 1) await signIn(`+9198765432${last}`);
  await until("the new sign-ins", async () => (await shown("Verified")) === before + 5);
  await page.goto(`${service.admin}/#/overview?range=day`);
  await until("the day", async () => (await shown("Verified")) === before + 5);
  await priya.leave();
});

test("an account: revealed, renamed and back, signed out", async () => {
  const number = "+919876543205";
  const { token } = await signIn(number, "Meera");
  const opens = async () => (await fetch(`${service.url}/protected`, { headers: { Authorization: `Bearer ${token}` } })).status;
  assert.equal(await opens(), 200);
  const priya = await operator(browser, service);
  const { page } = priya;
  // By a part of the name, where only one has it.
  await find(page, "meer");
  await page.getByRole("heading", { name: "Meera", level: 1 }).waitFor();
  assert.ok(!(await page.locator("main").innerText()).includes(number));
  await page.getByRole("button", { name: "Reveal the number of Meera" }).click();
  await page.getByText(number).waitFor();
  await page.getByRole("button", { name: "Rename", exact: true }).click();
  await page.getByLabel("New name").fill("Mira");
  await page.getByRole("dialog").getByRole("button", { name: "Rename" }).click();
  await page.getByRole("heading", { name: "Mira", level: 1 }).waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByRole("heading", { name: "Meera", level: 1 }).waitFor();
  await confirm(page, "Sign out everywhere", "Sign out");
  await page.getByText("Nowhere.").waitFor();
  assert.equal(await opens(), 401);
  // Blocked by their id, with the number masked.
  await confirm(page, "Block the number", "Block");
  await page.getByText("An operator has blocked this number").waitFor();
  assert.equal((await ask(number)).code, "number_blocked");
  await page.getByRole("link", { name: "Actions" }).click();
  await page.getByText("User revealed").waitFor();
  await priya.leave();
});

test("digits alone are an id, a number, or both, however many there are", async () => {
  const ID = "123456";
  const number = "+919876543206";
  const { data } = await signIn(number, "Zoë");
  const priya = await operator(browser, service);
  const { page } = priya;
  // As where there are so many users, and then as where such a number is one too.
  let isNumber = false;
  await page.route(new RegExp(`/admin/(users|numbers).*${ID}`), (route) => {
    const url = route.request().url();
    const real = url.includes(`/numbers/${ID}`) ? (isNumber ? encodeURIComponent(number) : ID) : data.id;
    return route.continue({ url: url.replace(ID, real) });
  });
  priya.expectStatus(400);
  await find(page, ID);
  await page.getByRole("heading", { name: "Zoë", level: 1 }).waitFor();
  await find(page, "9876543206");
  await page.getByRole("heading", { name: "Zoë", level: 1 }).waitFor();
  isNumber = true;
  await page.getByRole("searchbox").fill(ID);
  await page.getByRole("searchbox").press("Enter");
  await page.getByRole("heading", { name: "Whom do you mean?", level: 1 }).waitFor();
  await isAccessible(page, "a choice");
  await page.getByRole("link", { name: `Zoë, the user with the id ${ID}` }).waitFor();
  await page.getByRole("link", { name: "The number +91********06" }).click();
  await page.getByRole("heading", { name: "What happened, newest first" }).waitFor();
  priya.expectStatus(400);
  isNumber = false;
  await page.getByRole("searchbox").fill("999999999");
  await page.getByRole("searchbox").press("Enter");
  await page.getByText("This is neither a user's id nor a phone number that can exist.").waitFor();
  await priya.leave();
});

test("a fourth live page of one key goes on by asking", async () => {
  const priya = await operator(browser, service);
  const more = [];
  for (let at = 0; at < 2; at += 1) {
    const page = await priya.open("/");
    await page.getByText("Live", { exact: true }).waitFor();
    more.push(page);
  }
  priya.allowText("console: Failed to load resource: the server responded with a status of 429 ");
  const fourth = await priya.open("/");
  await fourth.getByText("Every 5 seconds").waitFor();
  await fourth.getByRole("heading", { name: "Verified", exact: true }).waitFor();
  await more[0].close();
  await fourth.getByText("Live", { exact: true }).waitFor();
  await priya.leave();
});

test("by keyboard alone: sign in, find a person, block and undo", async () => {
  const { key } = JSON.parse(await service.run("api", "admin-key", "add", "--name", "Keyboard", "--role", "operator", "--json"));
  const priya = await operator(browser, service);
  const { page } = priya;
  const press = (...keys) => keys.reduce((last, one) => last.then(() => page.keyboard.press(one)), Promise.resolve());
  await page.getByRole("button", { name: "Sign out" }).focus();
  await press("Enter");
  await page.getByRole("heading", { name: "Sign in to the console" }).waitFor();
  await page.keyboard.type(key);
  await press("Enter");
  await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  const tabTo = async (matches) => until("the focus", async () => {
    if (await page.evaluate((text) => (document.activeElement.textContent || document.activeElement.id).includes(text), matches)) return true;
    await press("Tab");
    return false;
  });
  await tabTo("find-text");
  await page.keyboard.type("+919876543290");
  await press("Enter");
  await page.getByRole("heading", { name: "What happened, newest first" }).waitFor();
  await page.evaluate(() => document.getElementById("title").focus());
  await tabTo("Block the number");
  await press("Enter");
  await page.getByRole("dialog").waitFor();
  await press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await press("Enter");
  const confirm = page.getByRole("dialog").locator(".main");
  await confirm.waitFor();
  await until("the focus on what is confirmed", async () => {
    if (await confirm.evaluate((button) => document.activeElement === button)) return true;
    await press("Tab");
    return false;
  });
  await press("Enter");
  await page.getByText("An operator has blocked this number").waitFor();
  await priya.leave();
});

test("a question that is closed and asked again at once is still answered", async () => {
  const priya = await operator(browser, service);
  const { page } = priya;
  await find(page, "+919876543291");
  await page.getByRole("button", { name: "Block the number" }).waitFor();
  await page.evaluate(() => {
    const block = [...document.querySelectorAll("button")].find((button) => button.textContent === "Block the number");
    block.click();
    document.getElementById("dialog").close();
    block.click();
  });
  await page.getByRole("dialog").locator(".main").click();
  await page.getByText("An operator has blocked this number").waitFor();
  await priya.leave();
});

test("a wrong key, and one that is removed, are told", async () => {
  const ravi = await operator(browser, service, "owner");
  const { page } = ravi;
  await page.getByRole("link", { name: "Keys" }).click();
  await page.getByRole("button", { name: "Add a key" }).click();
  await page.getByLabel("Whose it is").fill("Meera");
  await page.getByRole("dialog").getByRole("button", { name: "Add the key" }).click();
  assert.match(await page.locator(".secret").innerText(), /^csa_[a-z2-7]{52}$/);
  await page.getByRole("button", { name: "Done" }).click();
  await confirm(page, "Remove the key of Meera", "Remove the key");
  await page.getByText("The key of Meera is removed.").first().waitFor();
  await service.run("api", "admin-key", "remove", "--name", ravi.name);
  ravi.expectStatus(401);
  await page.getByRole("link", { name: "Clients" }).click();
  await page.getByText("You are signed out").waitFor();
  ravi.expectStatus(401);
  await page.getByLabel("Admin key").fill(`csa_${"a".repeat(52)}`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("This key is wrong, over or removed.").waitFor();
  await isAccessible(page, "the sign-in");
  await ravi.leave();
});

test("a Redis that hangs: what was counted stays, with its age", async () => {
  const priya = await operator(browser, service);
  const { page } = priya;
  await page.getByText("Live", { exact: true }).waitFor();
  service.signal("redis", "SIGSTOP");
  const stale = page.getByText(/These counts are of [\d:]+: Redis has not told what happened since\./);
  await stale.waitFor();
  await page.getByText("Redis does not answer.").waitFor();
  assert.ok(await page.getByText("Not known: Redis did not tell.").count() > 0);
  await page.getByRole("heading", { name: "Verified", exact: true }).waitFor();
  await isAccessible(page, "an old overview");
  service.signal("redis", "SIGCONT");
  await stale.waitFor({ state: "hidden" });
  await priya.leave();
});
