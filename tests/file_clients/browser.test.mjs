// tus-js-client in a page of another origin, as apps have it. NPM_FOLDER has the browser's packages, TUS_FOLDER has tus-js-client.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { startBrowser } from "../browser/support/browser.mjs";
import { freePort } from "../browser/support/service.mjs";
import { MB, signIn, startFiles, Tus } from "./support.mjs";

let browser, page, service, site, token, tus;

before(async () => {
  const script = await readFile(join(process.env.TUS_FOLDER, "node_modules/tus-js-client/dist/tus.min.js"));
  const port = await freePort();
  site = createServer((request, response) => {
    if (request.url === "/tus.js") return response.writeHead(200, { "content-type": "text/javascript" }).end(script);
    response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>An app</title><script src=/tus.js></script>");
  });
  await new Promise((done) => site.listen(port, "127.0.0.1", done));
  const origin = `http://127.0.0.1:${port}`;
  service = await startFiles({ CORS_ORIGINS: origin });
  token = await signIn(service.url);
  tus = new Tus(service.url, token);
  browser = await startBrowser();
  page = await browser.newPage();
  await page.goto(origin);
});

after(async () => {
  await browser?.close();
  await service?.stop();
  site?.close();
  site?.closeAllConnections();
});

test("tus-js-client uploads from a page of another origin, stops, and goes on", { timeout: 60_000 }, async () => {
  const size = 5 * MB + 3;
  const { url, offsets } = await page.evaluate(
    async ({ endpoint, token, size, chunkSize }) => {
      const file = new Blob([Uint8Array.from({ length: size }, (_, index) => index % 251)]);
      const offsets = [];
      const options = {
        endpoint,
        chunkSize,
        headers: { Authorization: `Bearer ${token}` },
        metadata: { filename: "clip.bin" },
        onAfterResponse: (request, response) => {
          if (request.getMethod() === "HEAD") offsets.push(Number(response.getHeader("Upload-Offset")));
        },
      };
      const first = await new Promise((done, failed) => {
        const upload = new tus.Upload(file, {
          ...options,
          onError: failed,
          onChunkComplete: (_, accepted) => accepted >= 2 * chunkSize && upload.abort().then(() => done(upload)),
        });
        upload.start();
      });
      const url = await new Promise((done, failed) => {
        const upload = new tus.Upload(file, { ...options, uploadUrl: first.url, onError: failed, onSuccess: () => done(upload.url) });
        upload.start();
      });
      return { url, offsets };
    },
    { endpoint: `${service.url}/files`, token, size, chunkSize: MB },
  );
  assert.equal(offsets.length, 1);
  assert.ok(offsets[0] >= 2 * MB && offsets[0] < size, `${offsets}`);
  const expected = createHash("sha256").update(Uint8Array.from({ length: size }, (_, index) => index % 251)).digest("hex");
  assert.equal(await tus.downloaded(new URL(url).pathname), expected);
});
