// Files in S3, which is moto's server behind a proxy that makes it fail. PYTHON is the Python that has moto.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createServer, request } from "node:http";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";

import { freePort } from "../browser/support/service.mjs";
import { until } from "../browser/support/until.mjs";
import { keepsFiles, sha256 } from "./object_store.mjs";
import { MB, signIn, startFiles, Tus } from "./support.mjs";

const { PYTHON: python } = process.env;
let moto, motoUrl, proxy, service, tus;
// What happens to a request of the object store: "pass", "refuse" (500), "lose" (done, and the answer lost) or "cut".
let fate = () => "pass";

before(async () => {
  const port = await freePort();
  motoUrl = `http://127.0.0.1:${port}`;
  moto = spawn(join(dirname(python), "moto_server"), ["-H", "127.0.0.1", "-p", `${port}`], { stdio: "ignore" });
  await until("moto", () => fetch(motoUrl).then(() => true, () => false));
  assert.equal((await fetch(`${motoUrl}/bucket`, { method: "PUT" })).status, 200);
  proxy = createServer((asked, answer) => {
    const what = fate(asked.method, asked.url);
    if (what === "cut") return asked.socket.destroy();
    if (what === "refuse") {
      asked.resume();
      return asked.on("end", () => answer.writeHead(500).end("<Error><Code>InternalError</Code></Error>"));
    }
    const passed = request(motoUrl + asked.url, { method: asked.method, headers: asked.headers }, (theirs) => {
      if (what === "lose") {
        theirs.resume();
        return theirs.on("end", () => asked.socket.destroy());
      }
      answer.writeHead(theirs.statusCode, theirs.headers);
      theirs.pipe(answer);
    });
    passed.on("error", () => asked.socket.destroy());
    asked.pipe(passed);
  });
  await new Promise((done) => proxy.listen(0, "127.0.0.1", done));
  service = await startFiles({
    FILES_URL: "s3://bucket/folder",
    FILE_SWEEP_SECONDS: "1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_REGION: "us-east-1",
    AWS_ENDPOINT: `http://127.0.0.1:${proxy.address().port}`,
    AWS_ALLOW_HTTP: "true",
  });
  tus = new Tus(service.url, await signIn(service.url));
});

after(async () => {
  await service?.stop();
  proxy?.close();
  proxy?.closeAllConnections();
  moto?.kill();
});

const keys = async () => {
  const list = await (await fetch(`${motoUrl}/bucket?list-type=2`)).text();
  return [...list.matchAll(/<Key>([^<]+)<\/Key>/g)].map((found) => found[1]).sort();
};
const multipartUploads = async () => {
  const list = await (await fetch(`${motoUrl}/bucket?uploads`)).text();
  return [...list.matchAll(/<UploadId>/g)].length;
};
keepsFiles(() => ({ service, tus, keys, unfinished: multipartUploads }));

test("a download is a redirect to the store, for a minute, which says what the file may be taken for", { timeout: 60_000 }, async () => {
  const bytes = Buffer.from("<script>alert(1)</script>");
  const put = await fetch(`${service.url}/files?name=page.html`, { method: "POST", headers: { ...tus.headers, "content-type": "text/html" }, body: bytes });
  const path = put.headers.get("location");
  const answer = await fetch(service.url + path, { headers: tus.headers, redirect: "manual" });
  assert.equal(answer.status, 302, await answer.clone().text());
  assert.match(answer.headers.get("cache-control"), /no-store|private/);
  const there = new URL(answer.headers.get("location"));
  assert.equal(Number(there.searchParams.get("X-Amz-Expires")), 60);
  // Nothing of the token goes along.
  const whole = await fetch(there);
  assert.equal(whole.status, 200);
  assert.equal(whole.headers.get("content-type"), "application/octet-stream");
  assert.match(whole.headers.get("content-disposition"), /^attachment; filename=.*page\.html/);
  assert.equal(await whole.text(), bytes.toString());
  const part = await fetch(there, { headers: { range: "bytes=1-6" } });
  assert.deepEqual([part.status, await part.text()], [206, "script"]);
  await tus.call("DELETE", path);
  await until("an empty bucket", async () => (await keys()).length === 0);
});

test("a store that fails costs the part that was sent, and no more", { timeout: 120_000 }, async () => {
  const bytes = randomBytes(13 * MB);
  for (const failure of ["refuse", "cut"]) {
    const path = await tus.announce("film.bin", bytes.length);
    let parts = 0;
    // The second part fails, however often it is tried.
    fate = (method, url) => (method === "PUT" && url.includes("partNumber=2&") ? ((parts += 1), failure) : "pass");
    const answer = await tus.piece(path, 0, bytes);
    assert.equal(answer.status, 503, await answer.text());
    assert.ok(parts > 1, "it is tried again");
    fate = () => "pass";
    const offset = await tus.offset(path);
    assert.equal(offset, 5 * MB);
    assert.equal((await tus.piece(path, offset, bytes.subarray(offset))).status, 204);
    assert.equal(await tus.downloaded(path), sha256(bytes));
    await tus.call("DELETE", path);
  }
  await until("an empty bucket", async () => (await keys()).length === 0 && (await multipartUploads()) === 0);
});

test("an upload whose last answer is lost is complete all the same", { timeout: 120_000 }, async () => {
  const bytes = randomBytes(6 * MB);
  const path = await tus.announce("film.bin", bytes.length);
  fate = (method, url) => (method === "POST" && url.includes("uploadId=") ? "lose" : "pass");
  const answer = await tus.piece(path, 0, bytes);
  fate = () => "pass";
  assert.ok([204, 503].includes(answer.status), `${answer.status}`);
  // By whoever asks, or by the sweep.
  await until("a complete file", async () => (await tus.offset(path)) === bytes.length && (await tus.file(path)).complete);
  assert.equal(await tus.downloaded(path), sha256(bytes));
  await tus.call("DELETE", path);
});
