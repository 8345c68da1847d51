// Files in Azure Blob Storage, which is Azurite. TUS_FOLDER has the packages from npm.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { freePort } from "../browser/support/service.mjs";
import { until } from "../browser/support/until.mjs";
import { keepsFiles } from "./object_store.mjs";
import { signIn, startFiles, Tus } from "./support.mjs";

// Azurite's only account, as its documentation has it.
const ACCOUNT = "devstoreaccount1";
const KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

let azurite, azuriteUrl, folder, service, tus;

// Asks for the container, signed by the account's key (Shared Key).
async function container(method, query) {
  const headers = { "x-ms-date": new Date().toUTCString(), "x-ms-version": "2023-11-03" };
  const told = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  const asked = Object.entries(query).map(([name, value]) => `\n${name}:${value}`);
  const text = `${method}${"\n".repeat(12)}${told.join("")}/${ACCOUNT}/${ACCOUNT}/bucket${asked.join("")}`;
  const signature = createHmac("sha256", Buffer.from(KEY, "base64")).update(text).digest("base64");
  headers.authorization = `SharedKey ${ACCOUNT}:${signature}`;
  return fetch(`${azuriteUrl}/${ACCOUNT}/bucket?${new URLSearchParams(query)}`, { method, headers });
}

before(async () => {
  const port = await freePort();
  azuriteUrl = `http://127.0.0.1:${port}`;
  folder = await mkdtemp(join(tmpdir(), "azurite-"));
  const program = join(process.env.TUS_FOLDER, "node_modules/azurite/dist/src/blob/main.js");
  const args = ["--blobHost", "127.0.0.1", "--blobPort", `${port}`, "--location", folder, "--silent", "--disableTelemetry"];
  azurite = spawn(process.execPath, [program, ...args, "--skipApiVersionCheck"], { stdio: "ignore" });
  await until("Azurite", () => fetch(azuriteUrl).then(() => true, () => false));
  const made = await container("PUT", { restype: "container" });
  assert.equal(made.status, 201, await made.text());
  service = await startFiles({
    FILES_URL: "az://bucket/folder",
    FILE_SWEEP_SECONDS: "1",
    AZURE_STORAGE_USE_EMULATOR: "true",
    AZURITE_BLOB_STORAGE_URL: azuriteUrl,
  });
  tus = new Tus(service.url, await signIn(service.url));
});

after(async () => {
  await service?.stop();
  await new Promise((done) => azurite.once("exit", done).kill());
  await rm(folder, { recursive: true, force: true });
});

async function keys() {
  const list = await (await container("GET", { comp: "list", restype: "container" })).text();
  return [...list.matchAll(/<Name>([^<]+)<\/Name>/g)].map((found) => found[1]).sort();
}

// Parts that nobody completes are not listed; they end after a week.
keepsFiles(() => ({ service, tus, keys }));

test("a download goes through the API, which says what the file may be taken for", { timeout: 60_000 }, async () => {
  const page = "<script>alert(1)</script>";
  const put = await fetch(`${service.url}/files?name=page.html`, { method: "POST", headers: tus.headers, body: page });
  const path = put.headers.get("location");
  const answer = await fetch(service.url + path, { headers: { ...tus.headers, range: "bytes=1-6" }, redirect: "manual" });
  assert.deepEqual([answer.status, await answer.text()], [206, "script"]);
  assert.equal(answer.headers.get("content-type"), "application/octet-stream");
  assert.match(answer.headers.get("content-security-policy"), /sandbox/);
  await tus.call("DELETE", path);
  await until("an empty store", async () => (await keys()).length === 0);
});
