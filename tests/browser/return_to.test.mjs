// Where the sign-in page leads back to, and what a foreign page can do with the browser's cookie.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { startBrowser, visitor } from "./support/browser.mjs";
import { startService } from "./support/service.mjs";
import { NAME, NUMBER, ask, newest, signIn } from "./support/steps.mjs";

const APP = "https://app.example.com";

// Everything that is no URL of the app's, or only looks like one.
const HOSTILE = [
  "", "/", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example", "https:/evil.example",
  "evil.example", "https://evil.example", "https://evil.example/https://app.example.com/", "https://evil.example#https://app.example.com/",
  "https://evil.example?https://app.example.com/", "https://app.example.com@evil.example/", "https://app.example.com:pass@evil.example/",
  "https://user@app.example.com/", "https://user:pass@app.example.com/", "https://app.example.com.evil.example/",
  "https://evilapp.example.com/", "https://app.example.com./", "https://app.example.com:8443/", "http://app.example.com/",
  "https://app.example.com%2eevil.example/", "https://app.example.com%00.evil.example/", "https://evil.example\\@app.example.com/",
  "https://evil.example\\app.example.com", "https%3A%2F%2Fapp.example.com%2F", "javascript:alert(1)", "JaVaScRiPt:alert(1)//https://app.example.com/",
  "java\nscript:alert(1)", "data:text/html,<script>alert(1)</script>", "blob:https://app.example.com/x", "filesystem:https://app.example.com/x",
  "view-source:https://app.example.com/", "vbscript:x", "file:///etc/passwd", "https://app.example.com\n.evil.example/",
  "\u0000https://evil.example", "https://evil.example/\r\nSet-Cookie: a=b", `https://evil.example/${"a".repeat(4000)}`, "https://[::1]/", "https://ａｐｐ.example.com.evil.example/",
];

let browser, service;
before(async () => {
  browser = await startBrowser();
  service = await startService({ RETURN_TO_ORIGINS: `${APP},http://127.0.0.1:1`, SEND_COOLDOWN_SECONDS: "0",
    SENDS_PER_NUMBER_HOUR: "0" });
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

const at = (returnTo) => `/?return_to=${encodeURIComponent(returnTo)}`;

test("no address but the app's own is followed", async () => {
  const asha = await visitor(browser, service);
  const inbox = await asha.open("/dev/inbox");
  const page = await asha.open(at("https://evil.example/"));
  await signIn(page, inbox);
  assert.equal(page.url(), `${service.url}${at("https://evil.example/")}`);
  for (const returnTo of HOSTILE) {
    await page.goto(at(returnTo));
    await page.getByRole("heading", { name: `Hello, ${NAME}` }).waitFor();
    assert.equal(await page.locator("#back").getAttribute("href"), null, JSON.stringify(returnTo));
  }
  // What is one of the app's, as browsers read it.
  for (const [returnTo, href] of [
    [APP, `${APP}/`],
    [`${APP}/a?b=c&d=%2F#e`, `${APP}/a?b=c&d=%2F#e`],
    ["HTTPS://APP.EXAMPLE.COM:443/a", `${APP}/a`],
    ["https:\\\\app.example.com\\a", `${APP}/a`],
    ["https://app.exam\nple.com/a", `${APP}/a`],
    [`${APP}/../@evil.example`, `${APP}/@evil.example`],
  ]) {
    await page.goto(at(returnTo));
    const link = page.getByRole("link", { name: "Continue to app.example.com" });
    assert.equal(await link.getAttribute("href"), href);
  }
  await asha.leave();
});

test("a person with a session is not led on by themselves, so nothing goes round in circles", async () => {
  const asha = await visitor(browser, service);
  const inbox = await asha.open("/dev/inbox");
  const page = await asha.open("/");
  await signIn(page, inbox, NUMBER, 2);
  await page.goto(at("http://127.0.0.1:1/"));
  await page.getByRole("link", { name: "Continue to 127.0.0.1:1" }).waitFor();
  assert.equal(page.url(), `${service.url}${at("http://127.0.0.1:1/")}`);
  await asha.leave();
});

test("a foreign page's form and fetch neither set nor clear the cookie", async () => {
  const evil = createServer((_, response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<p>evil</p>"));
  await new Promise((done) => evil.listen(0, "127.0.0.1", done));
  // Another site than 127.0.0.1, which is this machine all the same.
  const origin = `http://localhost:${evil.address().port}`;
  const asha = await visitor(browser, { url: service.url, others: [origin] });
  const inbox = await asha.open("/dev/inbox");
  const page = await asha.open("/");
  await page.bringToFront();
  await ask(page);
  await (await newest(inbox, NUMBER, 3)).use();
  await page.getByRole("heading", { name: `Hello, ${NAME}` }).waitFor();
  const cookies = () => asha.context.cookies(service.url);
  const before = await cookies();
  assert.deepEqual(before.map(({ name, httpOnly, sameSite }) => ({ name, httpOnly, sameSite })),
    [{ name: "cheershare", httpOnly: true, sameSite: "Lax" }]);

  const theirs = await asha.open(origin);
  const token = await page.evaluate(() => sessionStorage.getItem("token"));
  for (const text of ["console: Access to fetch", "console: Failed to load resource: net::ERR_FAILED"]) {
    for (let time = 0; time < 2; time += 1) asha.expectText(text);
  }
  for (let time = 0; time < 3; time += 1) asha.expectStatus(403);
  const answers = await theirs.evaluate(async ({ url, token }) => {
    const outcome = (options) => fetch(url, options).then(({ type, status }) => `${type} ${status}`, () => "failed");
    return [
      await outcome({ method: "POST", credentials: "include", headers: { Authorization: `Bearer ${token}` } }),
      await outcome({ method: "DELETE", credentials: "include" }),
      await outcome({ method: "POST", credentials: "include", mode: "no-cors" }),
      await outcome({ credentials: "include", mode: "no-cors" }),
    ];
  }, { url: `${service.url}/session`, token });
  assert.deepEqual(answers.slice(0, 2), ["failed", "failed"]);
  await theirs.evaluate((url) => {
    const form = Object.assign(document.createElement("form"), { method: "post", action: url });
    document.body.append(form);
    form.submit();
  }, `${service.url}/session`);
  await theirs.waitForURL(`${service.url}/session`);
  assert.match(await theirs.locator("body").innerText(), /foreign_page/);
  assert.deepEqual(await cookies(), before);
  await page.reload();
  await page.getByRole("heading", { name: `Hello, ${NAME}` }).waitFor();
  await asha.leave();
  evil.closeAllConnections();
  await new Promise((done) => evil.close(done));
});
