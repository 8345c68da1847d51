// Challenges by ALTCHA's protocol: solved by ALTCHA's own library, and by the sign-in page without anybody's doing.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { startBrowser, visitor } from "./support/browser.mjs";
import { startService } from "./support/service.mjs";
import { ask } from "./support/steps.mjs";

// The package is not beside the tests.
const { solveChallenge } = createRequire(join(process.env.NPM_FOLDER, "/"))("altcha-lib");

let browser, service;
before(async () => {
  browser = await startBrowser();
  service = await startService({
    CHALLENGE: "altcha",
    CHALLENGE_DIFFICULTY: "20000",
    SEND_COOLDOWN_SECONDS: "600",
    SENDS_PER_NUMBER_HOUR: "0",
    SENDS_PER_NUMBER_DAY: "0",
  });
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

async function signUp(body) {
  const answer = await fetch(`${service.url}/signup`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name: "Asha", phone_number: "+919876500001", ...body }),
  });
  return { status: answer.status, ...(await answer.json()) };
}

test("ALTCHA's library solves the challenge, once", async () => {
  assert.equal((await signUp({})).status, 200);
  const refused = await signUp({});
  assert.deepEqual([refused.status, refused.code], [403, "challenge_required"]);
  const { algorithm, challenge, salt, signature, maxnumber } = refused.challenge;
  const { number, took } = await solveChallenge(challenge, salt, algorithm, maxnumber).promise;
  const payload = btoa(JSON.stringify({ algorithm, challenge, number, salt, signature, took }));
  assert.equal((await signUp({ challenge: payload })).status, 200);
  assert.equal((await signUp({ challenge: payload })).status, 403);
});

test("the page solves it by itself", async () => {
  const number = "+919876543210";
  assert.equal((await signUp({ phone_number: number })).status, 200);
  assert.equal((await signUp({ phone_number: number })).status, 403);
  const asha = await visitor(browser, service);
  asha.expectStatus(403);
  const page = await asha.open("/");
  await ask(page);
  await page.getByText("Your message was sent.").waitFor();
  await asha.leave();
});
