// The recipes of docs/openid.md as they stand there: only addresses are replaced.

import assert from "node:assert/strict";

import { block } from "../../browser/support/blocks.mjs";

// The block of that name, with other addresses.
export async function recipe(name, addresses) {
  let text = await block("openid.md", name);
  for (const [documented, own] of Object.entries(addresses)) text = text.replaceAll(documented, own);
  assert(!text.includes("example.com"), `${name} names an address that the test does not know`);
  return text;
}
