// A real event, checked as docs/events.md says by standardwebhooks from npm and from PyPI. NPM_FOLDER has the packages from
// npm, PYTHON is the Python that has those from PyPI.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";

import { startService } from "../browser/support/service.mjs";
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

const requests = [];
let receiver, service;

before(async () => {
  receiver = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    requests.push({ headers: request.headers, body });
    response.writeHead(204).end();
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
});

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
