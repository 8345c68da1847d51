// Programs as they stand in docs/.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

// The block of code of that page which begins with that name in a comment.
export async function block(page, name) {
  const text = await readFile(new URL(`../../../docs/${page}`, import.meta.url), "utf8");
  const blocks = [...text.matchAll(/^```\w+\n((?:\/\/|#|<!--) (\S+)(?: -->)?\n.*?)^```$/gms)];
  const found = blocks.filter(([, , named]) => named === name);
  assert.equal(found.length, 1, `docs/${page} has ${found.length} blocks ${name}`);
  return found[0][1];
}
