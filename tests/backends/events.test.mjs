// Real events: checked as docs/events.md says by standardwebhooks from npm and from PyPI, and taken by the receiver of that
// page, as it stands there. NPM_FOLDER has the packages from npm, PYTHON is the Python that has those from PyPI.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";

import { block } from "../browser/support/blocks.mjs";
import { freePort, startService } from "../browser/support/service.mjs";
import { until } from "../browser/support/until.mjs";

const packages = createRequire(join(process.env.NPM_FOLDER, "package.json"));
const { Webhook } = await import(pathToFileURL(packages.resolve("standardwebhooks")).href);

const NUMBER = "+919876543210";
const CODE = "471147";
const SECRET = `whsec_${Buffer.from("32 bytes that nobody else knows.").toString("base64")}`;
const IN_PYTHON = `
import json, sys
from standardwebhooks.webhooks import Webhook
told = json.load(sys.stdin)
print(json.dumps(Webhook(told["secret"]).verify(told["body"], told["headers"])))
`;

const ALL_FACTS = `
import json, sqlite3, sys
print(json.dumps(sqlite3.connect(sys.argv[1]).execute("SELECT user_id, thing, value FROM facts ORDER BY user_id, thing").fetchall()))
`;

/** All that it has seen becomes so many seconds older; tells the ids that are there. */
const AGED = `
import json, sqlite3, sys
database = sqlite3.connect(sys.argv[1])
with database: database.execute("UPDATE seen SET at = at - ?", (int(sys.argv[2]),))
print(json.dumps([id for id, in database.execute("SELECT id FROM seen ORDER BY id")]))
`;

const requests = [];
let receiver, service, documented;

before(async () => {
  documented = await startDocumented();
  // What it gets it passes on to the documented one, whose answer counts.
  receiver = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    requests.push({ headers: request.headers, body });
    response.writeHead(await documented.post(body, request.headers)).end();
  });
  await new Promise((listening) => receiver.listen(0, "127.0.0.1", listening));
  service = await startService({
    EVENTS_WEBHOOK_URL: `http://127.0.0.1:${receiver.address().port}/events`,
    EVENTS_WEBHOOK_SECRET: SECRET,
    TEST_NUMBERS: `${NUMBER}=${CODE}@2099-12-31`,
  });
});

after(async () => {
  await service?.stop();
  receiver.close();
  receiver.closeAllConnections();
  await documented?.stop();
});

/** The receiver of the page. `facts` answers what it keeps, `aged` what it has seen. */
async function startDocumented() {
  const folder = await mkdtemp(join(tmpdir(), "receiver-"));
  const [file, port] = [join(folder, "receiver.py"), await freePort()];
  const env = { PATH: process.env.PATH, EVENTS_WEBHOOK_SECRET: SECRET, DATABASE: join(folder, "events.db") };
  await writeFile(file, await block("events.md", "receiver.py"));
  const args = ["-B", "-m", "flask", "--app", file, "run", "--port", String(port)];
  const child = spawn(process.env.PYTHON, args, { cwd: folder, env, stdio: ["ignore", "inherit", "pipe"] });
  let said = "";
  child.stderr.on("data", (text) => (said += text));
  const ended = new Promise((done) => child.once("exit", done));
  const post = async (body, { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature }) => {
    const headers = { "content-type": "application/json", "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature };
    return (await fetch(`http://127.0.0.1:${port}/events`, { method: "POST", headers, body })).status;
  };
  const python = (code, ...args) => {
    const { status, stdout, stderr } = spawnSync(process.env.PYTHON, ["-c", code, env.DATABASE, ...args], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout);
  };
  const facts = () => python(ALL_FACTS);
  const aged = (seconds) => python(AGED, String(seconds));
  const stop = async () => {
    child.kill();
    await ended;
    await rm(folder, { recursive: true });
  };
  const refuses = () => fetch(`http://127.0.0.1:${port}/`).then(({ status }) => status === 404, () => false);
  await until("the receiver", refuses).catch((error) => assert.fail(`${error.message}: ${said}`));
  return { post, facts, aged, stop };
}

/** An event as the worker would post it. */
async function post(type, data, id = `evt_${data.sequence}`) {
  const body = JSON.stringify({ type, timestamp: new Date().toISOString(), data });
  const now = new Date();
  const headers = { "webhook-id": id, "webhook-timestamp": String(Math.floor(now / 1000)), "webhook-signature": new Webhook(SECRET).sign(id, now, body) };
  return documented.post(body, headers);
}

function verifiedByPython(told) {
  const { status, stdout } = spawnSync(process.env.PYTHON, ["-c", IN_PYTHON], { input: JSON.stringify(told), encoding: "utf8" });
  return status === 0 ? JSON.parse(stdout) : undefined;
}

test("standardwebhooks takes what the worker signed, and nothing else", async () => {
  for (const body of [{ name: "Zoë", phone_number: NUMBER }, { phone_number: NUMBER, otp: CODE }]) {
    const answer = await fetch(`${service.url}/signup`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    assert.equal(answer.status, 200, await answer.text());
  }
  await until("both events", () => requests.length >= 2);

  const types = new Set();
  for (const { headers, body } of requests) {
    const event = new Webhook(SECRET).verify(body, headers);
    types.add(event.type);
    assert.deepEqual(verifiedByPython({ secret: SECRET, body, headers }), event);
    const forged = body.replace('"user_id":1', '"user_id":2');
    assert.notEqual(forged, body);
    assert.throws(() => new Webhook(SECRET).verify(forged, headers));
    assert.equal(verifiedByPython({ secret: SECRET, body: forged, headers }), undefined);
  }
  assert.deepEqual([...types].sort(), ["session.started", "user.created"]);
});

test("the receiver takes what the worker posts, once", async () => {
  await until("what it keeps", () => documented.facts().length >= 3);
  const facts = documented.facts();
  const session = facts.find(([, , value]) => value === "live")[1];
  const expected = [[1, "name", "Zoë"], [1, "phone_number", NUMBER], [1, session, "live"]];
  assert.deepEqual(facts, expected.sort(([, a], [, b]) => (a < b ? -1 : 1)));
  for (const { headers, body } of requests) {
    assert.equal(await documented.post(body, headers), 204);
    const { "webhook-signature": signature } = headers;
    assert.equal(await documented.post(body.replace("Zoë", "Eve"), headers), body.includes("Zoë") ? 400 : 204);
    assert.equal(await documented.post(body, { ...headers, "webhook-signature": signature.slice(0, -4) + "AAA=" }), 400);
  }
  assert.deepEqual(documented.facts(), facts);
});

test("the receiver keeps the newest of each thing, in whatever order events come", async () => {
  const user = (sequence, more) => ({ user_id: 7, sequence, ...more });
  const events = [
    ["user.created", user(11, { name: "Asha", phone_number: "+919876543211" })],
    ["session.started", user(12, { session_id: "first", device: null, expires_at: "2026-12-03T07:05:00Z" })],
    ["user.updated", user(13, { name: "Asha R.", version: 2 })],
    ["user.number_changed", user(14, { old_phone_number: "+919876543211", phone_number: "+919876543212" })],
    ["session.ended", user(15, { session_id: "first", reason: "signed_out" })],
    ["session.started", user(16, { session_id: "second", device: "A phone", expires_at: "2026-12-03T07:05:00Z" })],
    ["something.later", user(17, { field: "of which nobody knows" })],
  ];
  const sms = { delivery_id: "q3zt6nq5y6o4cbz6t2h4v5xk7e", phone_number: "+919876543211", status: "failed", reason: "unreachable" };
  const kept = [[7, "first", "signed_out"], [7, "name", "Asha R."], [7, "phone_number", "+919876543212"], [7, "second", "live"]];
  const ofUser = () => documented.facts().filter(([id]) => id === 7);
  for (const order of [[...events].reverse(), events]) {
    for (const [type, data] of order) assert.equal(await post(type, data), 204);
    assert.deepEqual(ofUser(), kept);
  }
  // An SMS event may come again by the same id.
  for (const sequence of [18, 19]) assert.equal(await post("sms.undelivered", { ...sms, sequence }, "sms_1"), 204);
  assert.equal(await post("user.deleted", user(20, { phone_number: "+919876543212" })), 204);
  assert.deepEqual(ofUser(), [[7, "deleted", null]]);
  assert.equal(await post("user.updated", user(10, { name: "Late", version: 1 })), 204);
  assert.equal(await post("session.started", user(21, { session_id: "third", device: null, expires_at: "2026-12-03T07:05:00Z" })), 204);
  assert.deepEqual(ofUser(), [[7, "deleted", null]]);
});

test("the receiver forgets what comes no more", async () => {
  const day = 24 * 60 * 60;
  const event = (sequence) => post("something.later", { user_id: 8, sequence });
  assert.equal(await event(30), 204);
  documented.aged(3 * day);
  assert.equal(await event(31), 204);
  assert.ok(documented.aged(day + 60).includes("evt_30"), "it may come again");
  assert.equal(await event(32), 204);
  assert.deepEqual(documented.aged(0), ["evt_31", "evt_32"]);
});
