// Headless Chromium, watched: what it complains of, and what it asks other machines for, fails the test.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

// The packages are not beside the tests, but in the folder that bin/test keeps them in.
const require = createRequire(join(process.env.NPM_FOLDER, "/"));
const { chromium } = require("playwright-core");
const AXE = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

export async function startBrowser() {
  return chromium.launch({ executablePath: process.env.CHROMIUM, args: FLAGS });
}

// One person: a context of its own. `leave` ends it, and holds that nothing was wrong but what was announced by
// `expectStatus` and `expectText`.
export async function visitor(browser, service, options = {}) {
  const context = await browser.newContext({ baseURL: service.url, ...options });
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: service.url });
  const complaints = [];
  const expected = [];
  const allowed = [];
  context.on("request", (request) => {
    const url = request.url();
    const own = [service.url, ...(service.others ?? [])].some((origin) => url.startsWith(`${origin}/`));
    if (!own && !url.startsWith("data:")) complaints.push(`a request to ${url}`);
  });
  context.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`console: ${message.text()}`);
  });
  context.on("weberror", (error) => complaints.push(`uncaught: ${error.error()}`));
  await context.exposeBinding("reportViolation", (_, text) => complaints.push(`policy: ${text}`));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      window.reportViolation(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
  });
  // The pages' policy lets nobody add a script later.
  await context.addInitScript({ content: AXE });
  const open = async (path) => {
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    await page.goto(path);
    return page;
  };
  // An answer of 400 and above is an error to the console; the test says which it caused.
  const expectText = (text) => expected.push(text);
  const expectStatus = (status) =>
    expectText(`console: Failed to load resource: the server responded with a status of ${status} `);
  // What comes or does not, as a lost connection is heard of.
  const allowText = (text) => allowed.push(text);
  const isUnexpected = (complaint) => {
    if (allowed.some((text) => complaint.startsWith(text))) return false;
    const at = expected.findIndex((text) => complaint.startsWith(text));
    return at < 0 || !expected.splice(at, 1);
  };
  const leave = async () => {
    await context.close();
    assert.deepEqual(complaints.filter(isUnexpected), []);
    assert.deepEqual(expected, [], "the test was to cause these");
  };
  return { context, open, expectStatus, expectText, allowText, leave };
}

// Holds that axe-core finds no violation in what is shown.
export async function isAccessible(page, what) {
  const { violations } = await page.evaluate(async () => {
    // What fades in has too little contrast until it is there.
    await Promise.all(document.getAnimations().map((animation) => animation.finished));
    return window.axe.run(document, { resultTypes: ["violations"] });
  });
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
  assert.deepEqual(found, [], `axe-core on ${what}`);
}

// Keeps a picture for whoever wants to look. SCREENSHOTS names the folder.
export async function picture(page, name, options = {}) {
  const folder = process.env.SCREENSHOTS;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled", ...options });
}
