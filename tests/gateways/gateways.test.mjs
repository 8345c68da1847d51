// Each gateway by its recipe in docs/gateways.md, in front of an app, with the service beside it.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";

import { startService } from "../browser/support/service.mjs";
import { startApp } from "./support/app.mjs";
import { send, upgrade, values } from "./support/client.mjs";
import { GATEWAYS, startGateway } from "./support/gateways.mjs";

const NUMBER = "+919876543210";
const NAME = "Zoë, “100%”";
const CODE = "471147";
const PAGE = "http://signin.example.test";
const HTML = { Accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
const IDENTITY = ["x-user-id", "x-user-phone-number", "x-user-name", "x-session-id"];

let app, cheershare, service;
before(async () => {
  app = await startApp();
  service = await startService({ PUBLIC_URL: PAGE, SIGN_IN_REDIRECT: "on", TEST_NUMBERS: `${NUMBER}=${CODE}@2099-12-31`, SEND_COOLDOWN_SECONDS: "0",
    SENDS_PER_NUMBER_HOUR: "0", SENDS_PER_NUMBER_DAY: "0", SESSIONS_PER_USER: "0" });
  cheershare = service.url.replace("http://", "");
});
after(async () => {
  await service?.stop();
  await app?.stop();
});

// Signs in. Answers the token's header, and what the app is to be told.
async function signIn() {
  const ask = (body) => send(cheershare, "/signup", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  assert.equal((await ask({ phone_number: NUMBER, name: NAME })).status, 200);
  const { body } = await ask({ phone_number: NUMBER, name: NAME, otp: CODE });
  const headers = { Authorization: `Bearer ${body.token}` };
  const { body: sessions } = await send(cheershare, "/tokens", { headers });
  const session = sessions.data.find(({ current }) => current).id;
  return { headers, identity: [String(body.data.id), NUMBER, encodeURIComponent(NAME), session] };
}

// The cookie of a browser whose page has that token.
async function cookieOf({ headers }) {
  const own = { ...headers, "Sec-Fetch-Site": "same-origin" };
  const { headers: answered } = await send(cheershare, "/session", { method: "POST", headers: own });
  return answered["set-cookie"][0].split(";")[0];
}

const signOut = async ({ headers }) =>
  assert.equal((await send(cheershare, "/tokens/current", { method: "DELETE", headers })).status, 204);

// Every header that a gateway sets, as a client may spell it, with another value.
function forged() {
  const headers = {};
  for (const name of IDENTITY) {
    const words = name.split("-");
    // A minus or an underscore at each place: programs behind take one for the other.
    for (let choice = 0; choice < 2 ** (words.length - 1); choice += 1) {
      const spelled = words.reduce((text, word, at) => `${text}${(choice >> (at - 1)) & 1 ? "_" : "-"}${word}`);
      headers[spelled] = "forged";
    }
  }
  return headers;
}

for (const name of Object.keys(GATEWAYS)) {
  describe(name, () => {
    let gateway;
    before(async () => (gateway = await startGateway(name, cheershare, app.address)));
    after(async () => {
      await gateway?.stop();
    });
    const told = (answer) => IDENTITY.map((header) => values(answer.body, header));

    test("tells the app who is signed in", async () => {
      const asha = await signIn();
      const answer = await send(gateway.address, "/a%20b?c=d&e=%0a", { headers: asha.headers });
      assert.equal(answer.status, 200, answer.text);
      assert.deepEqual([answer.body.method, answer.body.url], ["GET", "/a%20b?c=d&e=%0a"]);
      assert.deepEqual(told(answer), asha.identity.map((value) => [value]));
    });

    test("lets nobody else in", async () => {
      const before = app.seen.length;
      for (const headers of [{}, { Authorization: "Bearer ABCDEFGHIJKLMNOPQRSTUVWXYZ" }, { Authorization: "Basic YTpi" }]) {
        for (const method of ["GET", "POST", "OPTIONS", "DELETE"]) {
          const answer = await send(gateway.address, "/a", { method, headers });
          assert.equal(answer.status, 401, `${method} ${answer.text}`);
          assert.equal(answer.headers["www-authenticate"], "Bearer");
        }
      }
      assert.equal(app.seen.length, before);
    });

    test("knows a browser by its cookie", async () => {
      const asha = await signIn();
      const cookie = await cookieOf(asha);
      const headers = { ...HTML, Cookie: `a=b; ${cookie}; c=d` };
      const inside = await send(gateway.address, "/a", { headers });
      assert.equal(inside.status, 200, inside.text);
      assert.deepEqual(told(inside), asha.identity.map((value) => [value]));
      assert.equal((await send(gateway.address, "/a", { headers: { Cookie: `${cookie}; ${cookie}` } })).status, 401);
      await signOut(asha);
      assert.equal((await send(gateway.address, "/a", { headers })).status, 302);
    });

    test("leads a browser to the sign-in page, and nobody else", async () => {
      const path = "/a%20b/?c=d&e=%2F%26";
      const answer = await send(gateway.address, path, { headers: HTML });
      assert.equal(answer.status, 302, answer.text);
      const from = encodeURIComponent(`http://${gateway.address}${path}`);
      assert.equal(answer.headers.location, `${PAGE}/?return_to=${from}`);
      assert.equal(answer.headers["cache-control"], "no-store");
      for (const method of ["POST", "PUT", "DELETE"]) {
        assert.equal((await send(gateway.address, path, { method, headers: HTML })).status, 401, method);
      }
    });

    test("shuts on the request after a sign-out", async () => {
      const asha = await signIn();
      for (let time = 0; time < 3; time += 1) {
        assert.equal((await send(gateway.address, "/", { headers: asha.headers })).status, 200);
      }
      await signOut(asha);
      assert.equal((await send(gateway.address, "/", { headers: asha.headers })).status, 401);
    });

    test("lets no forged header through", async () => {
      const asha = await signIn();
      const inside = await send(gateway.address, "/a", { headers: { ...forged(), ...asha.headers } });
      assert.equal(inside.status, 200, inside.text);
      assert.deepEqual(told(inside), asha.identity.map((value) => [value]));
      // What is open to everybody is told of nobody, who is signed in or not.
      for (const headers of [forged(), { ...forged(), ...asha.headers }]) {
        const open = await send(gateway.address, "/public/a", { headers });
        assert.equal(open.status, 200, open.text);
        assert.deepEqual(told(open), IDENTITY.map(() => []));
      }
      assert.equal((await send(gateway.address, "/a", { headers: forged() })).status, 401);
      for (const path of ["/public/../a", "/public/%2e%2e/a", "/publicity", "/public"]) {
        const answer = await send(gateway.address, path);
        assert.notEqual(answer.status, 200, `${path} is open: ${answer.text}`);
      }
    });

    test("passes a body on as it is", async () => {
      const { headers } = await signIn();
      const body = "0123456789abcdef".repeat(20_000);
      const whole = { "Content-Length": String(body.length), "Content-Type": "text/plain" };
      for (const length of [whole, { "Transfer-Encoding": "chunked" }, { ...whole, Expect: "100-continue" }]) {
        for (const method of ["POST", "PUT"]) {
          const answer = await send(gateway.address, "/a", { method, headers: { ...headers, ...length }, body });
          assert.equal(answer.status, 200, answer.text);
          assert.equal(answer.body.method, method);
          assert.equal(answer.body.sha256, createHash("sha256").update(body).digest("hex"));
          assert.equal((await send(gateway.address, "/a", { method, headers: length, body })).status, 401);
        }
      }
    });

    test("lets a WebSocket through, for who is signed in", async () => {
      const asha = await signIn();
      const socket = await upgrade(gateway.address, "/socket", asha.headers);
      assert.equal(socket.status, 101);
      await socket.hear(`hello ${asha.identity[0]};`);
      socket.say("is anybody there?");
      await socket.hear("is anybody there?");
      socket.end();
      assert.equal((await upgrade(gateway.address, "/socket")).status, 401);
    });
  });
}

describe("without the service", () => {
  const gateways = [];
  after(async () => {
    for (const gateway of gateways) await gateway.stop();
  });

  test("no gateway lets anybody in", async () => {
    const asha = await signIn();
    for (const name of Object.keys(GATEWAYS)) gateways.push(await startGateway(name, cheershare, app.address));
    await service.end("api");
    app.seen.length = 0;
    for (const { address } of gateways) {
      for (const headers of [asha.headers, {}]) {
        const { status } = await send(address, "/a", { headers });
        assert.ok(status >= 500, `${status}`);
      }
      assert.equal((await send(address, "/public/a")).status, 200);
    }
    assert.deepEqual(app.seen, gateways.map(() => "/public/a"));
  });
});
