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

// What an app cannot read in two ways.
const PLAIN = /^\/public\/(\.?[\w/@~-])*\.?(\?|$)/;
// What one program takes for a path below /public/, and another does not.
const DOUBTFUL = [
  // Out of it.
  "/public/../a", "/public/./../a", "/public//../a", "/public/b/../../a", "/public/..", "/public/../", "/public/b/../../../a",
  "/public/%2e%2e/a", "/public/%2E%2E/a", "/public/.%2e/a", "/public/%2e./a", "/public/%2e/%2e%2e/a",
  "/public/..%2fa", "/public/..%2Fa", "/public/%2e%2e%2fa", "/public/..%2f..%2fa", "/public%2f..%2fa",
  "/public/b%2f..%2f..%2fa",
  "/public/..\\a", "/public/..%5ca", "/public/%2e%2e%5ca", "/public\\..\\a",
  "/public/..;/a", "/public/..;b=c/a", "/public/%2e%2e;/a", "/public/..%3b/a", "/public/;/../a", "/public/.;/../a",
  "/public/%252e%252e/a", "/public/%252e%252e%252fa", "/public/..%252fa", "/public/%25252e%25252e/a",
  "/public/%%32%65%%32%65/a",
  "/public/..%00/a", "/public/%c0%ae%c0%ae/a", "/public/%u002e%u002e/a", "/public/b%3f/../a", "/public/b%23/../../a",
  "/public/#/../a", "/public/\u00ff/..;/a", `/public/${"b/".repeat(2000)}..;/a`,
  // Into it.
  "/a/../public/b", "/a/%2e%2e/public/b", "/a/..%2fpublic/b", "/a%2f..%2fpublic/b", "/a/..;/public/b",
  "/a\\..\\public\\b",
  "/a/%252e%252e/public/b", "/../public/b", "/..;/public/b", "/a?/public/b", "/a?/../public/b", "/a#/public/b", "/a;/public/b",
  // Another spelling of it.
  "//public/b", "/./public/b", "/%2fpublic/b", "/%70ublic/b", "/%2570ublic/b",
  "/public%2fb", "/public%252fb", "/public%5cb", "/public\\b",
  "/PUBLIC/b", "/public;/b", "/public%3b/b", "/public%00/b", "/public%20/b",
  "http://host/a", "http://host/a/../public/b",
];

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
    });

    test("opens what is plainly below an open path, and nothing else", async () => {
      for (const path of ["/public/", "/public/a.b/c-1.2_3~4/D@2x.png", "/public/a?b=../%2e%2e/", `/public/${"a/".repeat(2000)}`]) {
        const { status, body } = await send(gateway.address, path);
        assert.deepEqual([status, body?.url], [200, path]);
      }
      const asha = await signIn();
      for (const doubtful of [...DOUBTFUL, "/publicity", "/public", "/public?/b"]) {
        const path = doubtful.replace("http://host", `http://${gateway.address}`);
        for (const headers of [{}, forged(), asha.headers]) {
          const before = app.seen.length;
          const answer = await send(gateway.address, path, { headers });
          const seen = app.seen.slice(before);
          if (seen.length === 0) {
            assert.ok([301, 302, 307, 308, 400, 401, 403, 404].includes(answer.status), `${path}: ${answer.status}`);
            continue;
          }
          // It is an open path to the app as well, or the app is told who it is.
          assert.equal(answer.status, 200, `${path}: ${answer.text}`);
          const isOpen = PLAIN.test(seen[0]) && told(answer).every((values) => values.length === 0);
          if (isOpen) continue;
          assert.equal(headers, asha.headers, `${path} reached the app as ${seen}`);
          assert.deepEqual(told(answer), asha.identity.map((value) => [value]), path);
        }
      }
    });

    test("tells who it is, whatever a client lists as its connection's own", async () => {
      const asha = await signIn();
      const listed = ["X-User-Id", "X-User-Phone-Number", "X-User-Name", "X-Session-Id"];
      const all = listed.join(", ");
      for (const list of [all, all.toLowerCase(), `close, ${all}`, `keep-alive,${listed.join()}`, ...listed, listed, ["keep-alive", ...listed]]) {
        for (const others of [{}, forged()]) {
          const before = app.seen.length;
          const answer = await send(gateway.address, "/a", { headers: { ...others, ...asha.headers, Connection: list } });
          if (answer.status === 200) assert.deepEqual(told(answer), asha.identity.map((value) => [value]), `${list}`);
          else assert.deepEqual([answer.status, app.seen.length], [400, before], `${list}: ${answer.text}`);
        }
      }
      for (const list of [`Upgrade, ${listed.join(", ")}`, ["Upgrade", ...listed]]) {
        const socket = await upgrade(gateway.address, "/socket", { ...asha.headers, Connection: list });
        if (socket.status === 101) await socket.hear(`hello ${asha.identity[0]};`);
        else assert.equal(socket.status, 400);
        socket.end?.();
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
