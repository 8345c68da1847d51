// Uploads by the clients that people have, and files that are large. TUS_FOLDER has the packages from npm, PYTHON is the
// Python that has those from PyPI.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

import { hashOf, MB, pattern, PIECE, signIn, startFiles, Tus } from "./support.mjs";

const run = promisify(execFile);
const { TUS_FOLDER: npmFolder, PYTHON: python } = process.env;
const here = dirname(fileURLToPath(import.meta.url));
const packages = createRequire(join(npmFolder, "package.json"));
const { Upload } = await import(pathToFileURL(packages.resolve("tus-js-client")).href);

const GB = 1024 * MB;
let folder, service, token, tus;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "files-"));
  service = await startFiles({ FILE_BYTES_PER_USER: "0", UPLOADS_PER_USER: "10" });
  token = await signIn(service.url);
  tus = new Tus(service.url, token);
});

after(async () => {
  await service?.stop();
  await rm(folder, { recursive: true });
});

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

test("tus-js-client uploads, stops, and goes on where it was", { timeout: 60_000 }, async () => {
  const bytes = randomBytes(12 * MB + 7);
  const options = {
    endpoint: `${service.url}/files`,
    headers: { Authorization: `Bearer ${token}` },
    chunkSize: 3 * MB,
    metadata: { filename: "tus-js.bin", filetype: "application/octet-stream" },
    retryDelays: [0, 500, 1000],
  };
  const url = await new Promise((done, failed) => {
    const upload = new Upload(bytes, {
      ...options,
      onError: failed,
      onChunkComplete: async (_, accepted) => {
        if (accepted < 6 * MB) return;
        await upload.abort();
        done(upload.url);
      },
    });
    upload.start();
  });
  const path = new URL(url).pathname;
  const before = await tus.offset(path);
  assert.ok(before >= 6 * MB && before < bytes.length, `${before}`);
  await new Promise((onSuccess, onError) => {
    new Upload(bytes, { ...options, uploadUrl: url, onSuccess, onError }).start();
  });
  const file = await tus.file(path);
  assert.equal(file.sha256, sha256(bytes));
  assert.equal(file.name, "tus-js.bin");
  assert.equal(await tus.downloaded(path), sha256(bytes));

  // All at once, with the first bytes in the announcement, and then gone.
  const whole = await new Promise((done, onError) => {
    const upload = new Upload(bytes, {
      ...options,
      uploadDataDuringCreation: true,
      chunkSize: Infinity,
      onError,
      onSuccess: () => done(upload),
    });
    upload.start();
  });
  assert.equal((await tus.file(new URL(whole.url).pathname)).sha256, sha256(bytes));
  await whole.abort(true);
  assert.equal((await tus.call("HEAD", new URL(whole.url).pathname)).status, 404);
});

test("tuspy uploads with checksums, in two steps", { timeout: 60_000 }, async () => {
  const bytes = randomBytes(5 * MB + 3);
  const path = join(folder, "tuspy.bin");
  await writeFile(path, bytes);
  const script = join(here, "tuspy_upload.py");
  const { stdout } = await run(python, [script, service.url, token, path, `${1 * MB}`]);
  const file = await tus.file(new URL(stdout.trim()).pathname);
  assert.deepEqual([file.name, file.complete, file.sha256], ["tuspy.bin", true, sha256(bytes)]);
});

test("curl uploads a file, a form, and the rest of what was cut", { timeout: 60_000 }, async () => {
  const bytes = randomBytes(6 * MB);
  const path = join(folder, "curl.bin");
  await writeFile(path, bytes);
  const curl = async (...args) => {
    const common = ["--silent", "--show-error", "--header", `Authorization: Bearer ${token}`];
    return (await run("curl", [...common, ...args]).catch((error) => error)).stdout;
  };
  const file = async (answer) => {
    const { id, sha256: hash, name } = JSON.parse(answer);
    assert.equal(hash, sha256(bytes));
    assert.equal(await tus.downloaded(`/files/${id}`), hash);
    return name;
  };
  const plain = await curl("--data-binary", `@${path}`, "--header", "Content-Type: application/octet-stream", `${service.url}/files?name=a.bin`);
  assert.equal(await file(plain), "a.bin");
  assert.equal(await file(await curl("--form", `file=@${path}`, `${service.url}/files`)), "curl.bin");

  const at = await tus.announce("curl.bin", bytes.length);
  const headers = ["--header", "Tus-Resumable: 1.0.0", "--header", `Content-Type: ${PIECE}`];
  const patch = (from, ...args) =>
    curl("--request", "PATCH", ...headers, "--header", `Upload-Offset: ${from}`, "--data-binary", `@${path}.rest`, ...args, service.url + at);
  await writeFile(`${path}.rest`, bytes);
  await patch(0, "--limit-rate", "1M", "--max-time", "2");
  let offset = 0;
  for (let tries = 0; tries < 50 && offset === 0; tries += 1) {
    await new Promise((done) => setTimeout(done, 100));
    offset = await tus.offset(at);
  }
  assert.ok(offset > 0 && offset < bytes.length, `${offset}`);
  await writeFile(`${path}.rest`, bytes.subarray(offset));
  await patch(offset);
  assert.equal(await tus.downloaded(at), sha256(bytes));
});

test("two gigabytes arrive though the connection is cut ten times", { timeout: 400_000 }, async () => {
  const size = 2 * GB;
  const read = pattern();
  const path = await tus.announce("film.mp4", size);
  let offset = 0;
  for (let cut = 0; cut < 10; cut += 1) {
    const status = await tus.stream(path, offset, size, 180 * MB + cut * 12_345, read);
    assert.equal(status, null, "it was cut");
    // The request that was cut still writes down what came.
    let kept;
    for (let tries = 0; tries < 600; tries += 1) {
      kept = await tus.offset(path);
      const locked = (await tus.piece(path, kept, Buffer.alloc(0))).status === 423;
      if (!locked) break;
      await new Promise((done) => setTimeout(done, 100));
    }
    kept = await tus.offset(path);
    assert.ok(kept > offset && kept < size, `${offset} became ${kept}`);
    offset = kept;
  }
  assert.equal(await tus.stream(path, offset, size, Infinity, read), 204);
  const hash = hashOf(read, size);
  assert.equal((await tus.file(path)).sha256, hash);
  assert.equal(await tus.downloaded(path), hash);
  assert.equal((await tus.call("DELETE", path)).status, 204);
});

test("ten uploads of a gigabyte at once take no memory", { timeout: 900_000 }, async () => {
  const rss = async () => {
    const status = await readFile(`/proc/${service.pid("api")}/status`, "utf8");
    return Number(status.match(/VmRSS:\s+(\d+) kB/)[1]) / 1024;
  };
  const read = pattern();
  // What an upload needs for the first time is there.
  const small = await Promise.all(Array.from({ length: 10 }, () => tus.announce("warm.bin", 2 * MB)));
  await Promise.all(small.map((path) => tus.stream(path, 0, 2 * MB, Infinity, read)));
  const before = await rss();
  let most = before;
  const watch = setInterval(async () => (most = Math.max(most, await rss())), 100);
  const paths = await Promise.all(Array.from({ length: 10 }, () => tus.announce("big.bin", 1 * GB)));
  const since = Date.now();
  const statuses = await Promise.all(paths.map((path) => tus.stream(path, 0, 1 * GB, Infinity, read)));
  const seconds = (Date.now() - since) / 1000;
  clearInterval(watch);
  assert.deepEqual(statuses, Array(10).fill(204));
  const grown = most - before;
  console.log(`10 GB in ${seconds.toFixed(1)} s; RSS ${before.toFixed(1)} MB, ${grown.toFixed(1)} MB more at most`);
  assert.ok(grown <= 8, `${grown.toFixed(1)} MB more`);
  const hash = hashOf(read, 1 * GB);
  for (const path of paths) {
    assert.equal((await tus.file(path)).sha256, hash);
    await tus.call("DELETE", path);
  }
});
