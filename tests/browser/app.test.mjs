// The browser app of docs/integration.md, as it stands there, of another origin than the API.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { isAccessible, startBrowser, visitor } from "./support/browser.mjs";
import { block } from "./support/blocks.mjs";
import { startService } from "./support/service.mjs";

const NUMBER = "+919876543210";
const CODE = "471147";
const TYPES = { "index.html": "text/html", "app.js": "text/javascript", "session.js": "text/javascript" };

let app, browser, service;
before(async () => {
  browser = await startBrowser();
  app = await startApp();
  service = await startService({ CORS_ORIGINS: app.url, TEST_NUMBERS: `${NUMBER}=${CODE}@2099-12-31`, SEND_COOLDOWN_SECONDS: "0",
    SENDS_PER_NUMBER_HOUR: "0", SENDS_PER_NUMBER_DAY: "0" });
});
after(async () => {
  await browser?.close();
  await service?.stop();
  await app?.stop();
});

// The three files, with the service's own address.
async function startApp() {
  const files = {};
  for (const name of Object.keys(TYPES)) files[name] = await block("integration.md", name);
  const server = createServer((request, response) => {
    const name = request.url.slice(1) || "index.html";
    if (name === "favicon.ico") return response.writeHead(204).end();
    response.writeHead(200, { "Content-Type": TYPES[name] }).end(files[name].replaceAll("http://127.0.0.1:4000", service.url));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const stop = () => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  };
  return { url: `http://127.0.0.1:${server.address().port}`, stop };
}

const newVisitor = () => visitor(browser, app, {});
const isInside = (page) => page.getByText("Hello, Asha").waitFor();
const isOutside = (page) => page.getByRole("button", { name: "Text me a code" }).waitFor();
const kept = (page) => page.evaluate(() => JSON.parse(localStorage.getItem("session")));

async function send(page) {
  await page.getByLabel("Phone number").fill(NUMBER);
  await page.getByLabel("Your name").fill("Asha");
  await page.getByRole("button", { name: "Text me a code" }).click();
}

async function enter(page, code) {
  await page.getByLabel("Code").fill(code);
  await page.getByRole("button", { name: "Sign in" }).click();
}

async function signIn(page) {
  await send(page);
  await enter(page, CODE);
  await isInside(page);
}

test("in by a code, in every tab and after a reload, and out of all", async () => {
  app.others = [service.url];
  const asha = await newVisitor();
  const page = await asha.open("/");
  await isOutside(page);
  await isAccessible(page, "the app's first form");
  await send(page);
  asha.expectStatus(401);
  await enter(page, "000000");
  await page.getByText("Invalid or expired OTP").waitFor();
  await enter(page, CODE);
  await isInside(page);
  await page.reload();
  await isInside(page);
  const tab = await asha.open("/");
  await isInside(tab);
  const { token } = await kept(page);
  await tab.getByRole("button", { name: "Sign out" }).click();
  await isOutside(tab);
  await isOutside(page);
  assert.equal(await kept(page), null);
  const { status } = await fetch(`${service.url}/me`, { headers: { Authorization: `Bearer ${token}` } });
  assert.equal(status, 401);
  await asha.leave();
});

test("a session that has ended elsewhere is dropped", async () => {
  const asha = await newVisitor();
  const page = await asha.open("/");
  await signIn(page);
  const { token } = await kept(page);
  await fetch(`${service.url}/tokens`, { method: "DELETE", headers: { Authorization: `Bearer ${token}` } });
  asha.expectStatus(401);
  await page.reload();
  await isOutside(page);
  assert.equal(await kept(page), null);
  await asha.leave();
});

test("two tabs renew the token together", async () => {
  // One of them may be answered 409 at first, which a visitor would complain of.
  const context = await browser.newContext({ baseURL: app.url });
  const [page, tab] = [await context.newPage(), await context.newPage()];
  await page.goto("/");
  await signIn(page);
  const { token: old } = await kept(page);
  await page.evaluate(() => {
    const due = { ...JSON.parse(localStorage.getItem("session")), renew_at: 0 };
    localStorage.setItem("session", JSON.stringify(due));
  });
  await Promise.all([page.reload(), tab.goto("/")]);
  await Promise.all([page, tab].map(isInside));
  const { token } = await kept(page);
  assert.notEqual(token, old);
  for (const one of [page, tab]) {
    await one.reload();
    await isInside(one);
  }
  assert.equal((await kept(tab)).token, token);
  await context.close();
});

test("a service that is away signs nobody out", async () => {
  const asha = await newVisitor();
  const page = await asha.open("/");
  await signIn(page);
  const before = await kept(page);
  await page.route(`${service.url}/**`, (route) => route.abort());
  asha.expectText("console: Failed to load resource: net::ERR_FAILED");
  await page.reload();
  await page.getByText("No answer. Try again.").waitFor();
  assert.deepEqual(await kept(page), before);
  await page.unroute(`${service.url}/**`);
  await page.reload();
  await isInside(page);
  await asha.leave();
});
