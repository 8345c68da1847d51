// The backends of docs/integration.md, each run as it stands there: whom they let in, and what they refuse. NPM_FOLDER has
// the packages from npm, PYTHON is the Python that has those from PyPI.

import assert from "node:assert/strict";
import { createHash, createPublicKey } from "node:crypto";
import { spawn } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { block } from "../browser/support/blocks.mjs";
import { freePort, startService } from "../browser/support/service.mjs";
import { until } from "../browser/support/until.mjs";

const { NPM_FOLDER: npmFolder, PYTHON: python } = process.env;
const here = dirname(fileURLToPath(import.meta.url));
const packages = createRequire(join(npmFolder, "package.json"));
const { SignJWT, UnsecuredJWT, importPKCS8 } = await import(pathToFileURL(packages.resolve("jose")).href);

const PAGE = "integration.md";
const NUMBER = "+919876543210";
const CODE = "471147";
const CLIENT = { id: "orders", secret: "a-secret-of-the-tests" };
// Users sign in to it by OpenID Connect.
const SHOP = { id: "shop", uri: "https://shop.example.com/callback" };
const ISSUER = "https://signin.example.com";
const AUDIENCE = "https://orders.example.com";

const keyFile = (name) => join(here, "../support/keys", name);
const processes = [];
let folder, service, backends, keys;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "backends-"));
  const hash = createHash("sha256").update(CLIENT.secret).digest("hex");
  const entry = { id: CLIENT.id, name: "Orders", secret_hashes: [`sha256:${hash}`], introspect: true };
  const shop = { id: SHOP.id, name: "Shop", secret_hashes: entry.secret_hashes, redirect_uris: [SHOP.uri], pkce: "optional" };
  await writeFile(join(folder, "clients.json"), JSON.stringify([entry, shop]));
  keys = [join(folder, "first.pem"), join(folder, "second.pem")];
  await copyFile(keyFile("rsa.pem"), keys[0]);
  await copyFile(keyFile("p256.pem"), keys[1]);
  service = await startService({
    CLIENTS_FILE: join(folder, "clients.json"),
    SIGNING_KEY_FILES: keys.join(","),
    PUBLIC_URL: ISSUER,
    TEST_NUMBERS: `${NUMBER}=${CODE}@2099-12-31`,
    SEND_COOLDOWN_SECONDS: "0",
    SENDS_PER_NUMBER_HOUR: "0",
    SENDS_PER_NUMBER_DAY: "0",
  });
  backends = {
    introspection: [await startNode("introspection.mjs"), await startPython("introspection.py")],
    apache: await startApache(),
    jwts: [await startNode("jwts.mjs"), await startPython("jwts.py")],
  };
});

after(async () => {
  for (const { child, ended } of processes) {
    child.kill();
    await ended;
  }
  await service?.stop();
  await rm(folder, { recursive: true });
});

async function startNode(name) {
  const file = join(npmFolder, "blocks", name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, await block(PAGE, name));
  return startBackend(name, process.execPath, () => [file]);
}

async function startPython(name) {
  const file = join(folder, name);
  await writeFile(file, await block(PAGE, name));
  const server = (port) => ["-B", "-m", "flask", "--app", file, "run", "--port", String(port)];
  return startBackend(name, python, server);
}

/** In front of a file. */
async function startApache() {
  const recipe = await block(PAGE, "app.conf");
  const modules = ["mpm_event", "authn_core", "authz_core", "dir", "oauth2"];
  const config = (port) => `ServerRoot ${folder}
    ServerName localhost
    Listen 127.0.0.1:${port}
    PidFile ${folder}/apache.pid
    DefaultRuntimeDir ${folder}
    DocumentRoot ${folder}/www
    DirectoryIndex index.json
    ErrorLog ${folder}/apache.log
    LogLevel warn
    ${modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join("\n")}
    Include ${folder}/app.conf\n`;
  await mkdir(join(folder, "www"));
  await writeFile(join(folder, "www/index.json"), "{}");
  await writeFile(join(folder, "app.conf"), recipe);
  const program = "/usr/sbin/apache2";
  return startBackend("Apache", program, async (port) => {
    await writeFile(join(folder, "apache.conf"), config(port));
    return ["-X", "-f", join(folder, "apache.conf")];
  });
}

/** Answers what a client of the backend gets: its status, and the user where it is 200. */
async function startBackend(name, program, args) {
  const port = await freePort();
  const env = {
    PATH: process.env.PATH,
    SERVICE_URL: service.url,
    CLIENT_ID: CLIENT.id,
    CLIENT_SECRET: CLIENT.secret,
    ISSUER,
    AUDIENCE,
    PORT: String(port),
  };
  const child = spawn(program, await args(port), { cwd: folder, env, stdio: ["ignore", "inherit", "pipe"] });
  let said = "";
  child.stderr.on("data", (text) => (said += text));
  const ended = new Promise((done) => child.once("exit", done));
  processes.push({ child, ended });
  const ask = async (token) => {
    const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers });
    const text = await answer.text();
    return { status: answer.status, user: answer.ok ? JSON.parse(text).user : undefined };
  };
  const refuses = () => ask().then(({ status }) => status === 401, () => false);
  await until(name, refuses).catch((error) => assert.fail(`${error.message}: ${said}`));
  return { name, ask };
}

async function post(path, body, token) {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  const answer = await fetch(`${service.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

async function signIn() {
  await post("/signup", { name: "Asha", phone_number: NUMBER });
  const { data, token } = await post("/signup", { phone_number: NUMBER, otp: CODE });
  return { user: String(data.id), token };
}

const jwtFor = async (token, audience = AUDIENCE) =>
  (await post("/tokens/current/jwt", { audience }, token)).token;

// What the shop gets when the user signs in to it. It is live, and the service's own sign-in did not give it out.
async function accessTokenOfShop(token) {
  const headers = { Authorization: `Bearer ${token}`, "Sec-Fetch-Site": "same-origin" };
  const session = await fetch(`${service.url}/session`, { method: "POST", headers });
  const [cookie] = session.headers.get("set-cookie").split(";");
  const asked = new URLSearchParams({
    client_id: SHOP.id,
    redirect_uri: SHOP.uri,
    response_type: "code",
    scope: "openid",
  });
  const redirect = { headers: { Cookie: cookie }, redirect: "manual" };
  const granted = await fetch(`${service.url}/oauth/authorize?${asked}`, redirect);
  const code = new URL(granted.headers.get("location")).searchParams.get("code");
  const answer = await fetch(`${service.url}/oauth/token`, {
    method: "POST",
    headers: { Authorization: `Basic ${Buffer.from(`${SHOP.id}:${CLIENT.secret}`).toString("base64")}` },
    body: new URLSearchParams({ grant_type: "authorization_code", code, redirect_uri: SHOP.uri }),
  });
  return (await answer.json()).access_token;
}

async function signOut(token) {
  const headers = { Authorization: `Bearer ${token}` };
  const answer = await fetch(`${service.url}/tokens/current`, { method: "DELETE", headers });
  assert.equal(answer.status, 204);
}

test("a backend that asks lets a session in until it ends", async () => {
  const { user, token } = await signIn();
  const another = await accessTokenOfShop(token);
  assert.match(another, /^[\w-]{43}$/);
  for (const { name, ask } of backends.introspection) {
    assert.deepEqual(await ask(token), { status: 200, user }, name);
    for (const wrong of [undefined, "A", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", await jwtFor(token), another]) {
      assert.equal((await ask(wrong)).status, 401, `${name}: ${wrong}`);
    }
  }
  await signOut(token);
  for (const { name, ask } of backends.introspection) assert.equal((await ask(token)).status, 401, name);
});

test("Apache lets a session in until it ends", async () => {
  const { token } = await signIn();
  const status = async (sent) => (await backends.apache.ask(sent)).status;
  for (const right of [token, token]) assert.equal(await status(right), 200);
  const another = await accessTokenOfShop(token);
  for (const wrong of [undefined, "A", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", await jwtFor(token), another]) {
    assert.equal(await status(wrong), 401, wrong);
  }
  await signOut(token);
  assert.equal(await status(token), 401);
});

test("a backend that checks JWTs lets in what was made for it", async () => {
  const { user, token } = await signIn();
  const jwt = await jwtFor(token);
  for (const { name, ask } of backends.jwts) {
    assert.deepEqual(await ask(jwt), { status: 200, user }, name);
    for (const wrong of [undefined, "", "A", token, `${jwt}A`, jwt.slice(0, -1)]) {
      assert.equal((await ask(wrong)).status, 401, `${name}: ${wrong}`);
    }
  }
  await signOut(token);
  for (const { name, ask } of backends.jwts) assert.equal((await ask(jwt)).status, 200, `${name}, as the page says`);
});

test("no other JWT is let in", async () => {
  const { token } = await signIn();
  const good = await jwtFor(token);
  const [header, payload] = good.split(".").slice(0, 2).map((part) => JSON.parse(Buffer.from(part, "base64url")));
  const own = await importPKCS8(await readFile(keyFile("rsa.pem"), "utf8"), "RS256");
  const foreign = await importPKCS8(await readFile(keyFile("rsa_new.pem"), "utf8"), "RS256");
  const sign = (claims, key = own, head = header) => new SignJWT(claims).setProtectedHeader(head).sign(key);
  const { aud, exp, iss, ...rest } = payload;
  const now = Math.floor(Date.now() / 1000);

  // Public keys as secrets, in the forms that a careless library would take them in.
  const pem = createPublicKey(await readFile(keyFile("rsa.pem"))).export({ type: "spki", format: "pem" });
  const { keys: jwks } = await (await fetch(`${service.url}/oauth/jwks`)).json();
  const { n } = jwks.find(({ kid }) => kid === header.kid);
  const ec = jwks.find(({ kty }) => kty === "EC");
  const hs256 = (secret) => sign(payload, new Uint8Array(secret), { ...header, alg: "HS256" });

  const wrong = {
    "none": new UnsecuredJWT(payload).encode(),
    "none, with the key's name": `${encoded({ alg: "none", kid: header.kid })}.${good.split(".")[1]}.`,
    "RS256 without a signature": `${good.split(".").slice(0, 2).join(".")}.`,
    "HS256 by the PEM": await hs256(Buffer.from(pem)),
    "HS256 by the PEM without its line's end": await hs256(Buffer.from(pem.trim())),
    "HS256 by the modulus": await hs256(Buffer.from(n, "base64url")),
    "of another audience": await jwtFor(token, "https://billing.example.com"),
    "of no audience": (await post("/tokens/current/jwt", {}, token)).token,
    "of another issuer": await sign({ ...payload, iss: "https://evil.example.com" }),
    "of no issuer": await sign({ aud, exp, ...rest }),
    "of no end": await sign({ aud, iss, ...rest }),
    "expired": await sign({ ...payload, exp: now - 1 }),
    "by another key under the name of ours": await sign(payload, foreign),
    "by an unknown key": await sign(payload, foreign, { ...header, kid: "unknown" }),
    "by RSA under the name of P-256": await sign(payload, own, { ...header, kid: ec.kid }),
    "with other claims": [good.split(".")[0], encoded({ ...payload, sub: "2" }), good.split(".")[2]].join("."),
  };
  for (const { name, ask } of backends.jwts) {
    for (const [what, jwt] of Object.entries(wrong)) assert.equal((await ask(jwt)).status, 401, `${name}: ${what}`);
    assert.equal((await ask(await sign(payload))).status, 200, `${name}: the claims that the others change`);
  }
});

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

test("keys are rotated under traffic, and no check fails", async () => {
  const { user, token } = await signIn();
  let checks = 0;
  let failed;
  const signedBy = new Set();
  let going = true;
  const traffic = backends.jwts.map(async ({ name, ask }) => {
    let before = await jwtFor(token);
    while (going && failed === undefined) {
      const jwt = await jwtFor(token);
      signedBy.add(JSON.parse(Buffer.from(jwt.split(".")[0], "base64url")).kid);
      for (const one of [jwt, before]) {
        const answer = await ask(one);
        checks += 1;
        if (answer.user !== user) failed = `${name}: ${answer.status} after ${checks} checks`;
      }
      before = jwt;
    }
  });
  const reloaded = async () => (await service.log("api")).split('"event":"setting_reloaded","setting":"SIGNING_KEY_FILES"').length - 1;
  const put = async (first, second) => {
    await copyFile(keyFile(first), keys[0]);
    await copyFile(keyFile(second), keys[1]);
    const times = await reloaded();
    service.signal("api", "SIGHUP");
    await until("the new keys", async () => (await reloaded()) > times);
    // For longer than programs wait until they ask for an unknown key again.
    await new Promise((done) => setTimeout(done, 1500));
  };
  await put("rsa.pem", "rsa_new.pem");
  await put("rsa_new.pem", "rsa.pem");
  await put("rsa_new.pem", "p256.pem");
  going = false;
  await Promise.all(traffic);
  assert.equal(failed, undefined);
  assert.equal(signedBy.size, 2);
  assert(checks > 100, `only ${checks} checks`);
  console.log(`   ${checks} checks`);
});

test("a service that is away is no reason to sign out", async () => {
  const { token } = await signIn();
  await service.end("api");
  for (const { name, ask } of backends.introspection) assert.equal((await ask(token)).status, 503, name);
});
