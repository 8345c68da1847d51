// Files, uploaded on the sign-in page by who is signed in.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { startBadLine } from "./support/bad_line.mjs";
import { isAccessible, picture, startBrowser, visitor } from "./support/browser.mjs";
import { startService } from "./support/service.mjs";
import { signIn } from "./support/steps.mjs";
import { until } from "./support/until.mjs";

const MEGABYTE = 1024 * 1024;

let browser, service, line;
before(async () => {
  browser = await startBrowser();
  service = await startService({ FILE_MAX_BYTES: String(16 * MEGABYTE) });
  line = await startBadLine(service);
});
after(async () => {
  await browser?.close();
  await line?.stop();
  await service?.stop();
});

// Somebody who is signed in. From then on the line brings so many bytes a second.
async function signedIn(number, bytesASecond) {
  line.bytesASecond = undefined;
  const asha = await visitor(browser, { ...service, url: line.url });
  const page = await asha.open("/");
  await signIn(page, await asha.open("/dev/inbox"), number);
  await page.bringToFront();
  line.bytesASecond = bytesASecond;
  // A request that was cut may still hold the upload (423). A browser that repeats one by itself may come behind it (409).
  for (const text of ["net::ERR_", "the server responded with a status of 423 ", "the server responded with a status of 409 "]) {
    asha.allowText(`console: Failed to load resource: ${text}`);
  }
  return { asha, page };
}

const choose = (page, name, buffer) =>
  page.getByLabel("Upload a file").setInputFiles({ name, mimeType: "application/octet-stream", buffer });
const upload = (page, name) => page.locator("#uploads li").filter({ hasText: name });
const sha = (bytes) => createHash("sha256").update(bytes).digest("hex");

// What the link of an upload that has ended leads to.
async function kept(page, name) {
  const path = await upload(page, name).getByRole("link", { name }).getAttribute("href");
  const answer = await page.request.get(path);
  assert.equal(answer.status(), 200);
  return sha(await answer.body());
}

test("a file is uploaded, and what was uploaded is there", async () => {
  const { asha, page } = await signedIn("+919876543231");
  const content = randomBytes(5 * MEGABYTE);
  const name = "Grüße <b>.bin";
  await choose(page, name, content);
  await upload(page, name).getByText("Uploaded, 5.2 MB").waitFor();
  assert.equal(await kept(page, name), sha(content));
  await isAccessible(page, "an upload");
  await picture(page, "upload-done", { fullPage: true });
  await asha.leave();
});

test("an empty file is uploaded too", async () => {
  const { asha, page } = await signedIn("+919876543232");
  await choose(page, "empty.txt", Buffer.alloc(0));
  await upload(page, "empty.txt").getByText("Uploaded").waitFor();
  await asha.leave();
});

test("an upload is paused, goes on where it stopped, and tells how far it is", async () => {
  const { asha, page } = await signedIn("+919876543233", 2 * MEGABYTE);
  const content = randomBytes(8 * MEGABYTE);
  const offsets = [];
  page.on("request", (request) => {
    if (request.method() === "PATCH") offsets.push(Number(request.headers()["upload-offset"]));
  });
  await choose(page, "clip.mp4", content);
  const bar = upload(page, "clip.mp4").getByRole("progressbar", { name: "clip.mp4" });
  await until("a quarter of it", async () => Number(await bar.getAttribute("value")) > content.length / 4);
  await page.getByRole("button", { name: "Pause clip.mp4" }).click();
  await upload(page, "clip.mp4").getByText(/^Paused\. /).waitFor();
  await isAccessible(page, "a paused upload");
  await picture(page, "upload-paused", { fullPage: true });
  line.bytesASecond = undefined;
  await page.getByRole("button", { name: "Resume clip.mp4" }).click();
  await upload(page, "clip.mp4").getByText("Uploaded").waitFor();
  assert.equal(await kept(page, "clip.mp4"), sha(content));
  assert.equal(offsets[0], 0);
  assert.ok(offsets.at(-1) > 0, `${offsets}`);
  await asha.leave();
});

test("an upload goes on after a lost connection, and after a reload", async () => {
  const { asha, page } = await signedIn("+919876543234", 2 * MEGABYTE);
  const content = randomBytes(8 * MEGABYTE);
  const folder = await mkdtemp(join(tmpdir(), "upload-"));
  const path = join(folder, "clip.mp4");
  await writeFile(path, content);
  const choosePath = () => page.getByLabel("Upload a file").setInputFiles(path);
  let created = 0;
  page.on("request", (request) => {
    if (request.method() === "POST" && request.url().endsWith("/files")) created += 1;
  });
  await choosePath();
  const bar = () => upload(page, "clip.mp4").getByRole("progressbar");
  const reached = (part) =>
    until(`${part} of it`, async () => Number(await bar().getAttribute("value")) > content.length * part);
  await reached(0.2);
  line.cut();
  await upload(page, "clip.mp4").getByText("The connection is bad. Trying to go on.").waitFor();
  await reached(0.4);
  await page.reload();
  await page.getByRole("heading", { name: /^Hello/ }).waitFor();
  line.bytesASecond = undefined;
  await choosePath();
  await upload(page, "clip.mp4").getByText("Uploaded").waitFor();
  assert.equal(await kept(page, "clip.mp4"), sha(content));
  assert.equal(created, 1, "one upload");
  await asha.leave();
  await rm(folder, { recursive: true });
});

test("what is refused says why, and what is cancelled is gone", async () => {
  const { asha, page } = await signedIn("+919876543235", MEGABYTE);
  asha.expectStatus(413);
  await choose(page, "large.bin", randomBytes(17 * MEGABYTE));
  await upload(page, "large.bin").getByText("This file is too large.").waitFor();
  await page.getByRole("button", { name: "Cancel large.bin" }).click();
  const patch = page.waitForRequest((request) => request.method() === "PATCH");
  await choose(page, "clip.mp4", randomBytes(8 * MEGABYTE));
  const { pathname } = new URL((await patch).url());
  const gone = page.waitForResponse((answer) => answer.request().method() === "DELETE");
  await page.getByRole("button", { name: "Cancel clip.mp4" }).click();
  assert.equal((await gone).status(), 204);
  assert.equal(await page.locator("#uploads li").count(), 0);
  const answer = await page.request.get(pathname);
  assert.equal(answer.status(), 404);
  await asha.leave();
});
