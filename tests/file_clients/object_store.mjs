// What holds of files in any object store.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";

import { until } from "../browser/support/until.mjs";
import { MB } from "./support.mjs";

export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const keyOf = (path) => path.replace("/files/", "folder/");

// `at` answers, once all runs: the service, its user by tus, the keys in the store and, where it tells that, how many uploads in
// parts have not ended.
export function keepsFiles(at) {
  test("pieces of any length become parts, and nothing but the file is left", { timeout: 60_000 }, async () => {
    const { tus, keys, unfinished } = at();
    const bytes = randomBytes(17 * MB + 11);
    const path = await tus.announce("film.bin", bytes.length);
    let offset = 0;
    for (const length of [1, 4095, 1 * MB, 5 * MB, 7 * MB + 1, 3, bytes.length]) {
      const piece = bytes.subarray(offset, offset + length);
      const answer = await tus.piece(path, offset, piece);
      assert.equal(answer.status, 204, await answer.text());
      offset += piece.length;
      assert.equal(Number(answer.headers.get("upload-offset")), offset);
    }
    assert.equal((await tus.file(path)).sha256, sha256(bytes));
    assert.equal(await tus.downloaded(path), sha256(bytes));
    assert.deepEqual([await keys(), (await unfinished?.()) ?? 0], [[keyOf(path)], 0]);
    assert.equal((await tus.call("DELETE", path)).status, 204);
    await until("an empty store", async () => (await keys()).length === 0);
  });

  test("small requests are kept once each, and many of them are put together", { timeout: 120_000 }, async () => {
    const { tus, keys } = at();
    const bytes = randomBytes(300_000);
    const path = await tus.announce("small.bin", bytes.length);
    const send = async (from, to) => {
      for (let offset = from; offset < to; offset += 2000) {
        assert.equal((await tus.piece(path, offset, bytes.subarray(offset, offset + 2000))).status, 204);
      }
    };
    await send(0, 200_000);
    assert.equal((await keys()).length, 100);
    await send(200_000, 202_000);
    assert.equal((await keys()).length, 1);
    await send(202_000, bytes.length);
    assert.deepEqual(await keys(), [keyOf(path)]);
    assert.equal(await tus.downloaded(path), sha256(bytes));
    await tus.call("DELETE", path);
    await until("an empty store", async () => (await keys()).length === 0);
  });

  test("small and empty files are put at once, and files of whole parts", { timeout: 60_000 }, async () => {
    const { service, tus, keys } = at();
    const part = 5 * 1024 * 1024;
    for (const bytes of [Buffer.alloc(0), Buffer.from("hello"), randomBytes(part - 1), randomBytes(part), randomBytes(2 * part)]) {
      const answer = await fetch(`${service.url}/files?name=a`, { method: "POST", headers: tus.headers, body: bytes });
      assert.equal(answer.status, 201, await answer.clone().text());
      const path = answer.headers.get("location");
      if (bytes.length > 0) assert.equal(await tus.downloaded(path), sha256(bytes));
      assert.equal((await tus.file(path)).sha256, sha256(bytes));
      await tus.call("DELETE", path);
    }
    await until("an empty store", async () => (await keys()).length === 0);
  });

  test("what is given up leaves nothing", { timeout: 60_000 }, async () => {
    const { tus, keys, unfinished } = at();
    const path = await tus.announce("film.bin", 20 * MB);
    assert.equal((await tus.piece(path, 0, randomBytes(8 * MB))).status, 204);
    assert.ok((await keys()).every((key) => key.startsWith("folder/tails/")));
    assert.equal((await unfinished?.()) ?? 1, 1);
    assert.equal((await tus.call("DELETE", path)).status, 204);
    await until("an empty store", async () => (await keys()).length === 0 && !(await unfinished?.()));
  });
}
