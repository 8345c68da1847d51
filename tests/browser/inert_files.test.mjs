// What a stranger uploads runs no script in the browser of whoever opens it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { signIn, startFiles } from "../file_clients/support.mjs";
import { startBrowser } from "./support/browser.mjs";
import { until } from "./support/until.mjs";

const SCRIPT = "<script>alert(document.domain)</script><img src=x onerror=alert(1)>";
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const behind = (bytes) => Buffer.concat([bytes, Buffer.from(`<html><body>${SCRIPT}`)]);

// Names, the type that the client tells, and the bytes.
const FILES = [
  ["page.html", "text/html", `<!DOCTYPE html><html><body>${SCRIPT}`],
  ["page.xhtml", "application/xhtml+xml", `<html xmlns="http://www.w3.org/1999/xhtml"><body>${SCRIPT}</body></html>`],
  ["image.svg", "image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script></svg>`],
  ["page.png", "image/png", `<!DOCTYPE html><html><body>${SCRIPT}`],
  ["polyglot.html", "text/html", behind(PNG)],
  ["gif.html", "text/html", behind(Buffer.from("GIF89a/*"))],
  ["feed.xml", "text/xml", `<?xml version="1.0"?><x:script xmlns:x="http://www.w3.org/1999/xhtml">alert(1)</x:script>`],
  ["script.js", "text/javascript", "alert(1)"],
  ["plain.txt", "text/plain", SCRIPT],
];

let browser, service, headers;
before(async () => {
  browser = await startBrowser();
  service = await startFiles();
  headers = { authorization: `Bearer ${await signIn(service.url)}` };
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

// Opens it, and says what ran.
async function ranIn(path) {
  const context = await browser.newContext({ acceptDownloads: true });
  const page = await context.newPage();
  const ran = [];
  page.on("dialog", (dialog) => {
    ran.push(dialog.message());
    return dialog.dismiss();
  });
  const arrived = Promise.race([
    page.waitForEvent("download", { timeout: 20_000 }).then(() => "download"),
    page.waitForEvent("load", { timeout: 20_000 }).then(() => "page"),
  ]);
  // A download is no page, so going there fails.
  await page.goto(service.url + path).catch(() => {});
  const what = await arrived;
  // A script that is to run has run by then: the page that embeds the file has loaded it twice.
  await page.goto(`${service.url}/docs`);
  await page.evaluate(async (from) => {
    for (const tag of ["iframe", "object", "embed"]) {
      const frame = document.createElement(tag);
      frame[tag === "object" ? "data" : "src"] = from;
      document.body.append(frame);
    }
    await fetch(from);
  }, path).catch(() => {});
  await context.close();
  return { what, ran };
}

for (const [name, type, bytes] of FILES) {
  test(`${name}, told as ${type}`, async () => {
    const put = await fetch(`${service.url}/files?name=${name}`, { method: "POST", headers: { ...headers, "content-type": type }, body: bytes });
    assert.equal(put.status, 201, await put.clone().text());
    const link = await fetch(`${service.url}${put.headers.get("location")}/links`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: "{}",
    });
    assert.equal(link.status, 200, await link.clone().text());
    const path = new URL((await link.json()).url, service.url).pathname;
    for (const query of ["", "?inline=true"]) {
      const { what, ran } = await ranIn(path + query);
      assert.deepEqual(ran, [], path + query);
      if (!query) assert.equal(what, "download");
    }
  });
}

test("a picture with a page behind it is a picture", async () => {
  const put = await fetch(`${service.url}/me/picture`, { method: "PUT", headers, body: behind(PNG) });
  assert.equal(put.status, 202, await put.clone().text());
  const url = await until("the picture", async () => (await (await fetch(`${service.url}/me/picture`, { headers })).json()).url);
  const path = new URL(url, service.url).pathname;
  assert.deepEqual(await ranIn(path), { what: "page", ran: [] });
  const made = Buffer.from(await (await fetch(service.url + path)).arrayBuffer());
  assert.ok(!made.includes("alert"), "what was behind it is gone");

  for (const bytes of [`<html>${SCRIPT}`, `<svg xmlns="http://www.w3.org/2000/svg"/>`]) {
    const refused = await fetch(`${service.url}/me/picture`, { method: "PUT", headers, body: bytes });
    assert.equal(refused.status, 415);
  }
});
