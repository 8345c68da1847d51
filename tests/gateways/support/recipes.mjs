// The recipes of docs/gateways.md as they stand there: only addresses and paths are replaced.

import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

const PAGE = await readFile(new URL("../../../docs/gateways.md", import.meta.url), "utf8");

// Writes the files of a recipe, which is the section of that heading, into the folder. Each is a block of code whose first
// line names it. Answers their paths.
export async function writeRecipe(name, folder, addresses) {
  const [, section] = PAGE.split(`\n## ${name}\n`);
  if (!section) throw new Error(`docs/gateways.md has no heading ${name}`);
  const blocks = section.split(/\n## /)[0].matchAll(/^```\w+\n(?:#|--) (\/\S+)\n(.*?)^```$/gms);
  const files = [...blocks].map(([, path, text]) => ({ path, text, copy: join(folder, basename(path)) }));
  if (files.length === 0) throw new Error(`docs/gateways.md has no file for ${name}`);
  for (const { text, copy } of files) {
    let own = text;
    for (const [documented, address] of Object.entries(addresses)) {
      const [port, ownPort] = [documented, address].map((one) => one.split(":")[1]);
      own = own.replaceAll(documented, address).replaceAll(`port_value: ${port}`, `port_value: ${ownPort}`);
    }
    for (const { path, copy: other } of files) own = own.replaceAll(path, other);
    await writeFile(copy, own);
  }
  return Object.fromEntries(files.map(({ path, copy }) => [basename(path), copy]));
}
