// An app's users sign in by the page: it names the app, and leads back to it. `tests/openid/` has the rest.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { isAccessible, picture, startBrowser, visitor } from "./support/browser.mjs";
import { freePort, startService } from "./support/service.mjs";
import { NUMBER, ask, newest } from "./support/steps.mjs";

const SECRET = "3mjUi0GPbGmVsCXlX8VrBSPs3tkAhqiCg2gtPBaV5S4";
const VERIFIER = randomBytes(32).toString("base64url");

let browser, service, folder, app, origin, posted;
before(async () => {
  browser = await startBrowser();
  folder = await mkdtemp(join(tmpdir(), "openid-"));
  app = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      if (request.method === "POST") posted = { body, type: request.headers["content-type"] };
      response.writeHead(200, { "Content-Type": "text/html" }).end('<link rel="icon" href="data:,"><h1>The shop itself</h1>');
    });
  });
  await new Promise((done) => app.listen(0, "127.0.0.1", done));
  // Another site than 127.0.0.1, which is this machine all the same.
  origin = `http://localhost:${app.address().port}`;
  const clients = join(folder, "clients.json");
  const hash = createHash("sha256").update(SECRET).digest("hex");
  await writeFile(clients, JSON.stringify([{
    id: "shop", name: "The <Shop>", secret_hashes: [`sha256:${hash}`],
    redirect_uris: [`${origin}/callback`], post_logout_redirect_uris: [`${origin}/bye`],
  }]));
  const port = await freePort();
  service = await startService({
    PORT: String(port), PUBLIC_URL: `http://127.0.0.1:${port}`, CLIENTS_FILE: clients,
    SEND_COOLDOWN_SECONDS: "0", SENDS_PER_NUMBER_HOUR: "0",
  });
  service.others = [origin];
});
after(async () => {
  await browser?.close();
  await service?.stop();
  app?.close();
  await rm(folder, { recursive: true, force: true });
});

const authorize = (more = {}) => `/oauth/authorize?${new URLSearchParams({
  response_type: "code", client_id: "shop", redirect_uri: `${origin}/callback`, scope: "openid phone", state: "st",
  nonce: "no", code_challenge: createHash("sha256").update(VERIFIER).digest("base64url"), code_challenge_method: "S256", ...more,
})}`;

async function redeem(url) {
  const parameters = new URL(url).searchParams;
  assert.deepEqual([parameters.get("state"), parameters.get("iss")], ["st", service.url]);
  const answer = await fetch(`${service.url}/oauth/token`, {
    method: "POST",
    headers: { Authorization: `Basic ${Buffer.from(`shop:${SECRET}`).toString("base64")}` },
    body: new URLSearchParams({ grant_type: "authorization_code", code: parameters.get("code"),
      redirect_uri: `${origin}/callback`, code_verifier: VERIFIER }),
  });
  assert.equal(answer.status, 200);
  return answer.json();
}

test("the page names the app, leads back to it, and is passed by whoever is signed in", async () => {
  const asha = await visitor(browser, service);
  const inbox = await asha.open("/dev/inbox");
  const page = await asha.open(authorize({ login_hint: NUMBER }));
  await page.bringToFront();
  await page.getByRole("heading", { name: "Sign in to The <Shop>" }).waitFor();
  assert.equal((await page.getByLabel("Phone number").inputValue()).replace(/ /g, ""), NUMBER.slice(3));
  await isAccessible(page, "the sign-in for an app");
  await picture(page, "sign-in-for-an-app");
  await page.getByLabel("Phone number").fill("");
  await ask(page);
  await (await newest(inbox)).use();
  await page.getByRole("heading", { name: "The shop itself" }).waitFor();
  const tokens = await redeem(page.url());

  await page.goto(authorize({ prompt: "none" }));
  assert.ok(page.url().startsWith(`${origin}/callback?code=`), page.url());

  // A form, which the page posts by itself.
  await page.goto(authorize({ response_mode: "form_post" }));
  await page.getByRole("heading", { name: "The shop itself" }).waitFor();
  assert.equal(posted.type, "application/x-www-form-urlencoded");
  const form = new URLSearchParams(posted.body);
  assert.deepEqual([form.get("state"), form.get("iss"), form.get("code").length], ["st", service.url, 43]);

  // Another sign-in is asked for, although there is a session.
  await page.goto(authorize({ prompt: "login" }));
  await page.getByRole("heading", { name: "Sign in to The <Shop>" }).waitFor();
  await ask(page);
  await (await newest(inbox, NUMBER, 2)).use();
  await page.getByRole("heading", { name: "The shop itself" }).waitFor();

  const hint = new URLSearchParams({ id_token_hint: tokens.id_token, post_logout_redirect_uri: `${origin}/bye`, state: "x" });
  await page.goto(`/oauth/end_session?${hint}`);
  assert.equal(page.url(), `${origin}/bye?state=x`);
  await page.goto(authorize({ prompt: "none" }));
  assert.equal(new URL(page.url()).searchParams.get("error"), "login_required");
  await asha.leave();
});

test("a link to somebody else's request is told as over, and people are asked before they are signed out", async () => {
  const mallory = await visitor(browser, service);
  const theirs = await mallory.open(authorize());
  await theirs.getByRole("heading", { name: "Sign in to The <Shop>" }).waitFor();
  const asha = await visitor(browser, service);
  const inbox = await asha.open("/dev/inbox");
  const page = await asha.open(theirs.url());
  await page.bringToFront();
  await page.getByText("This sign-in has expired. Go back to the app and start again.").waitFor();
  await ask(page);
  await (await newest(inbox, NUMBER, 3)).use();
  await page.getByRole("heading", { name: "Hello, Asha" }).waitFor();
  await mallory.leave();

  await page.goto("/oauth/end_session");
  await isAccessible(page, "the question whether to sign out");
  await picture(page, "sign-out");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "You are signed out" }).waitFor();
  await page.goto(authorize({ prompt: "none" }));
  assert.equal(new URL(page.url()).searchParams.get("error"), "login_required");
  asha.expectStatus(400);
  await page.goto(authorize({ client_id: "stranger" }));
  await page.getByRole("heading", { name: "This does not work" }).waitFor();
  await isAccessible(page, "a refusal");
  await asha.leave();
});
