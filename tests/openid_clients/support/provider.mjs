// The service as OpenID provider, and a user with a browser that needs no screen.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { freePort, startService } from "../../browser/support/service.mjs";
import { send } from "../../gateways/support/client.mjs";

export const NUMBER = "+919876543210";
export const NAME = "Asha";
export const SECRET = "3mjUi0GPbGmVsCXlX8VrBSPs3tkAhqiCg2gtPBaV5S4";
const OTP = "471147";
const FORM = "application/x-www-form-urlencoded";

// Apps are on localhost, the service is on 127.0.0.1: another site, as browsers see it. Any port is good there.
export const client = (id, path, more = {}) => ({
  id,
  name: id,
  secret_hashes: [`sha256:${createHash("sha256").update(SECRET).digest("hex")}`],
  redirect_uris: [`http://localhost${path}`],
  post_logout_redirect_uris: ["http://localhost/", "http://localhost/bye"],
  ...more,
});

export async function startProvider(clients, settings = {}) {
  const folder = await mkdtemp(join(tmpdir(), "openid-"));
  await writeFile(join(folder, "clients.json"), JSON.stringify(clients));
  const port = await freePort();
  const service = await startService({
    PORT: String(port),
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    CLIENTS_FILE: join(folder, "clients.json"),
    SIGNING_KEY_FILES: fileURLToPath(new URL("../../support/keys/rsa.pem", import.meta.url)),
    TEST_NUMBERS: `${NUMBER}=${OTP}@2099-12-31`,
    SEND_COOLDOWN_SECONDS: "0",
    SENDS_PER_NUMBER_HOUR: "0",
    SENDS_PER_NUMBER_DAY: "0",
    ...settings,
  });
  const stop = async () => {
    await service.stop();
    await rm(folder, { recursive: true });
  };
  return { ...service, stop };
}

// Keeps cookies by host, as browsers do whatever the port, and goes where it is led.
export class User {
  cookies = new Map();

  constructor(provider) {
    this.provider = provider;
  }

  // Answers { url, status, text } of where it ends. `form` is posted.
  async open(url, form) {
    const navigation = { Accept: "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document" };
    const post = { method: "POST", body: String(new URLSearchParams(form)), headers: { ...navigation, "Content-Type": FORM } };
    let [place, options] = [new URL(url), form ? post : { headers: navigation }];
    for (let steps = 0; steps < 20; steps += 1) {
      const { status, headers, text } = await this.send(place, options);
      if (status < 300 || !headers.location) return { url: place.href, status, text };
      assert([302, 303].includes(status) || options !== post, `${status} after a form`);
      [place, options] = [new URL(headers.location, place), { headers: navigation }];
    }
    throw new Error(`led in circles, to ${place}`);
  }

  async send(url, { headers, ...options }) {
    const jar = this.cookies.get(url.hostname) ?? new Map();
    this.cookies.set(url.hostname, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await send(url.host, url.pathname + url.search, { ...options, headers: { ...headers, ...(cookie && { Cookie: cookie }) } });
    for (const one of answer.headers["set-cookie"] ?? []) {
      const [pair, ...attributes] = one.split(/; */);
      const [name, value] = split(pair);
      const { "max-age": seconds, expires } = Object.fromEntries(attributes.map(split).map(([key, of]) => [key.toLowerCase(), of]));
      if (seconds === "0" || new Date(expires) < new Date()) jar.delete(name);
      else jar.set(name, value);
    }
    return answer;
  }

  // What the sign-in page does. Answers where the user is led.
  async signIn(page) {
    const { url } = this.provider;
    assert(page.url.startsWith(`${url}/?request=`), `no sign-in page, but ${page.url}: ${page.status} ${page.text}`);
    const post = async (path, { body, token }) => {
      const headers = { "Content-Type": "application/json", "Sec-Fetch-Site": "same-origin" };
      if (token) headers.Authorization = `Bearer ${token}`;
      const answer = await this.send(new URL(path, url), { method: "POST", headers, body: body && JSON.stringify(body) });
      assert([200, 204].includes(answer.status), `${path}: ${answer.status} ${answer.text}`);
      return answer.body;
    };
    await post("/signup", { body: { name: NAME, phone_number: NUMBER } });
    const { data, token } = await post("/signup", { body: { phone_number: NUMBER, otp: OTP } });
    await post("/session", { token });
    this.token = token;
    this.id = String(data.id);
    return this.open(`${url}/oauth/continue?request=${new URL(page.url).searchParams.get("request")}`);
  }

  // As from another device: no browser takes part.
  async endSession() {
    const headers = { Authorization: `Bearer ${this.token}` };
    const { status } = await send(new URL(this.provider.url).host, "/tokens/current", { method: "DELETE", headers });
    assert.equal(status, 204);
  }
}

function split(pair) {
  const [name, ...rest] = pair.split("=");
  return [name, rest.join("=")];
}

// A user signs in to an app, is known there, goes on without an SMS, and signs out of both.
//
// `app` has `url`; `begin(user)`, which opens what leads to the sign-in; `claims(user)`, what the app knows of the user,
// undefined if nobody is signed in; `signOut(user)`. `expected` answers what that is of the user with that `sub`.
export async function signsInAndOut(provider, app, expected = (sub) => ({ sub, name: NAME, phone_number: NUMBER })) {
  const user = new User(provider);
  assert.equal(await app.claims(user), undefined);

  const back = await user.signIn(await app.begin(user));
  assert(back.status === 200 && back.url.startsWith(`${app.url}/`), `led to ${back.url}: ${back.status} ${back.text}`);
  assert.deepEqual(await app.claims(user), expected(user.id));

  // Signed in at the service, and not yet in another browser of the app's.
  const cookies = user.cookies.get("localhost");
  user.cookies.delete("localhost");
  const again = await app.begin(user);
  assert(again.status === 200 && again.url.startsWith(`${app.url}/`), `led to ${again.url}: ${again.status} ${again.text}`);
  assert.deepEqual(await app.claims(user), expected(user.id));
  user.cookies.set("localhost", cookies);

  const bye = await app.signOut(user);
  assert(bye.status === 200 && bye.url.startsWith(`${app.url}/`), `led to ${bye.url}: ${bye.status} ${bye.text}`);
  assert.equal(await app.claims(user), undefined);
  const page = await app.begin(user);
  assert(page.url.startsWith(`${provider.url}/?request=`), `signed in still: ${page.url}`);
}
