// session.js of docs/integration.md, which apps sign in with, as it stands there: with answers that are lost, sessions that
// end elsewhere, and a service that is away. NPM_FOLDER is where it is put.

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, request as start } from "node:http";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { pathToFileURL } from "node:url";

import { block } from "../browser/support/blocks.mjs";
import { startService } from "../browser/support/service.mjs";

const CODE = "471147";
const ASHA = { phone_number: "+919876543210", name: "Asha" };

let service, road, Session;
before(async () => {
  const folder = join(process.env.NPM_FOLDER, "blocks");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "session.js"), await block("integration.md", "session.js"));
  ({ Session } = await import(pathToFileURL(join(folder, "session.js")).href));
  service = await startService({
    TEST_NUMBERS: `${ASHA.phone_number}=${CODE}@2099-12-31`,
    SEND_COOLDOWN_SECONDS: "0",
    SENDS_PER_NUMBER_HOUR: "0",
    SENDS_PER_NUMBER_DAY: "0",
  });
  road = await startRoad(service.url);
});
after(async () => {
  await road?.stop();
  await service?.stop();
});
const OPEN = { lost: 0, inUse: 0, isClosed: false, status: undefined, beforeRenewed: undefined };
beforeEach(() => Object.assign(road, OPEN, { seen: [] }));

// What is between the app and the service. It loses the next `lost` answers, says of the next `inUse` requests that they are
// still running, loses all requests while it `isClosed`, and answers all with `status` where there is one. `beforeRenewed`
// happens before a renewal's answer goes on.
async function startRoad(url) {
  const it = { ...OPEN, seen: [] };
  const server = createServer((request, response) => {
    if (it.isClosed) return request.socket.destroy();
    it.seen.push(`${request.method} ${request.url}`);
    if (it.status) return response.writeHead(it.status).end("<h1>away</h1>");
    if (it.inUse > 0) {
      it.inUse -= 1;
      return response.writeHead(409).end(JSON.stringify({ code: "idempotency_key_in_use", error: "It runs" }));
    }
    const { method, headers } = request;
    const passed = start(`${url}${request.url}`, { method, headers }, async (answer) => {
      if (request.url.endsWith("/renewal")) await it.beforeRenewed?.();
      if (it.lost > 0) {
        it.lost -= 1;
        answer.resume().once("end", () => request.socket.destroy());
      } else {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      }
    });
    request.pipe(passed);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  it.url = `http://127.0.0.1:${server.address().port}`;
  it.stop = () => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  };
  return it;
}

// As a phone's: what is in it is there after a restart.
function newStore() {
  let text = null;
  return { get: async () => text, set: async (one) => void (text = one), remove: async () => void (text = null) };
}

async function signIn(store = newStore()) {
  const session = new Session(road.url, store);
  await session.sendOtp(ASHA);
  await session.signIn({ ...ASHA, otp: CODE });
  return session;
}

const kept = async ({ store }) => JSON.parse(await store.get());
const me = (session) => session.call("GET", `${road.url}/me`);
const isUp = async (session) => assert.equal((await me(session)).data.phone_number, ASHA.phone_number);
const becomesDue = async ({ store }) => store.set(JSON.stringify({ ...JSON.parse(await store.get()), renew_at: 0 }));
const renewals = () => road.seen.filter((one) => one === "POST /tokens/current/renewal").length;
const statusOf = async (token) => (await fetch(`${service.url}/me`, { headers: { Authorization: `Bearer ${token}` } })).status;

test("signs in, and out", async () => {
  const session = new Session(road.url, newStore());
  assert.equal(await session.isSignedIn(), false);
  await assert.rejects(me(session), { status: 401 });
  const sent = await session.sendOtp(ASHA);
  assert.equal(sent.success, true);
  await assert.rejects(session.signIn({ ...ASHA, otp: "000000" }), { status: 401, code: "invalid_otp" });
  const { id, name } = await session.signIn({ ...ASHA, otp: CODE });
  assert.deepEqual([(await me(session)).data.id, name], [id, ASHA.name]);
  assert.equal(await session.isSignedIn(), true);
  const { token } = await kept(session);
  await session.signOut();
  assert.equal(await session.isSignedIn(), false);
  assert.equal(await statusOf(token), 401);
});

test("a sign-in whose answer is lost is one sign-in", async () => {
  const before = await signIn();
  const store = newStore();
  const session = new Session(road.url, store);
  await session.sendOtp(ASHA);
  road.lost = 1;
  await session.signIn({ ...ASHA, otp: CODE });
  const after = (await session.sessions()).length;
  await session.signOut();
  assert.equal((await before.sessions()).length, after - 1);
});

test("lists sessions and ends another", async () => {
  const [phone, tablet] = [await signIn(), await signIn()];
  const list = await phone.sessions();
  assert.equal(list.filter(({ current }) => current).length, 1);
  const other = (await tablet.sessions()).find(({ current }) => current).id;
  await phone.endSession(other);
  await assert.rejects(me(tablet), { status: 401 });
  assert.equal(await tablet.isSignedIn(), false);
  await isUp(phone);
});

test("renews a token in time, once, even if answers are lost", async () => {
  const session = await signIn();
  const { token: old } = await kept(session);
  await isUp(session);
  assert.equal(renewals(), 0);
  await becomesDue(session);
  road.lost = 2;
  await isUp(session);
  const { token } = await kept(session);
  assert.notEqual(token, old);
  assert.deepEqual([await statusOf(old), await statusOf(token)], [401, 200]);
  const count = renewals();
  await isUp(session);
  assert.equal(renewals(), count);
});

test("an app that died while it renewed goes on", async () => {
  const session = await signIn();
  await becomesDue(session);
  const due = await session.store.get();
  await isUp(session);
  const { token } = await kept(session);
  // As if the answer had never reached the store.
  await session.store.set(due);
  const restarted = new Session(road.url, session.store);
  await isUp(restarted);
  assert.equal((await kept(restarted)).token, token);
});

test("calls at one time renew once", async () => {
  const session = await signIn();
  await becomesDue(session);
  const tabs = [session, new Session(road.url, session.store), new Session(road.url, session.store)];
  await Promise.all([...tabs, ...tabs].map(isUp));
  assert.equal(await statusOf((await kept(session)).token), 200);
  for (const tab of tabs) await isUp(tab);
});

test("signing out while a token is renewed ends the session", async () => {
  const [session, other] = [await signIn(), await signIn()];
  const before = (await other.sessions()).length;
  await becomesDue(session);
  road.beforeRenewed = () => session.signOut();
  await assert.rejects(me(session), { status: 401 });
  assert.equal(await session.isSignedIn(), false);
  assert.equal((await other.sessions()).length, before - 1);
});

test("whoever signs in while the token before is renewed has the new session alone", async () => {
  const [session, other] = [await signIn(), await signIn()];
  const before = (await other.sessions()).length;
  await becomesDue(session);
  road.beforeRenewed = async () => {
    road.beforeRenewed = undefined;
    await session.signOut();
    await signIn(session.store);
  };
  await isUp(session);
  await isUp(session);
  assert.equal((await other.sessions()).length, before);
});

test("waits for a renewal that another tab has begun", async () => {
  const session = await signIn();
  await becomesDue(session);
  const { token: old, renewal_key } = await kept(session);
  const headers = { Authorization: `Bearer ${old}`, "Idempotency-Key": renewal_key };
  const renewal = await fetch(`${service.url}/tokens/current/renewal`, { method: "POST", headers });
  const { token } = await renewal.json();
  road.inUse = 1;
  await isUp(session);
  assert.equal((await kept(session)).token, token);
});

test("what says nothing about the session leaves it", async () => {
  const session = await signIn();
  road.status = 503;
  await assert.rejects(me(session), { status: 503 });
  road.status = undefined;
  road.isClosed = true;
  await assert.rejects(me(session), (error) => error.status === undefined);
  road.isClosed = false;
  const wrong = session.call("POST", `${road.url}/me/deletion`, { otp: "000000" });
  await assert.rejects(wrong, { status: 401, code: "invalid_otp" });
  await isUp(session);
});

test("signs out without a network too", async () => {
  const session = await signIn();
  road.isClosed = true;
  await session.signOut();
  assert.equal(await session.isSignedIn(), false);
});
