// The whole conversation of a client, with types from the OpenAPI document: SERVICE_URL is the API, WORKER_LOG the file that
// the worker prints SMS to, CLIENT_ID and CLIENT_SECRET are those of a registered client.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Session = components["schemas"]["Session"];

const NUMBER = "+919876500001";
const { SERVICE_URL: baseUrl, WORKER_LOG: workerLog, CLIENT_ID: id, CLIENT_SECRET: secret } = process.env;
assert(baseUrl !== undefined && workerLog !== undefined && id !== undefined && secret !== undefined);

const stranger = createClient<paths>({ baseUrl });
const holderOf = (token: string) => createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });

const FORM = { "Content-Type": "application/x-www-form-urlencoded" };
const backend = createClient<paths>({
  baseUrl,
  headers: { ...FORM, Authorization: `Basic ${btoa(`${id}:${secret}`)}` },
});

/** The OTPs that were sent to the number so far. */
async function codes(log: string): Promise<string[]> {
  const printed = (await readFile(log, "utf8")).split("│ to ").filter((sms) => sms.startsWith(NUMBER));
  return printed.flatMap((sms) => /password is (\d+)/.exec(sms)?.[1] ?? []);
}

/** Asks for an OTP and waits until the worker has sent it. */
async function askForCode(log: string): Promise<string> {
  const before = (await codes(log)).length;
  const { data } = await stranger.POST("/signup", { body: { name: "Asha", phone_number: NUMBER } });
  assert(data !== undefined && "delivery_id" in data);
  assert(data.success && data.expires_in > 0 && data.resend_in >= 0);
  for (let tries = 0; tries < 200; tries += 1) {
    const code = (await codes(log))[before];
    if (code !== undefined) {
      const params = { path: { delivery_id: data.delivery_id } };
      const { data: delivery } = await stranger.GET("/deliveries/{delivery_id}", { params });
      assert(delivery !== undefined && ["sending", "sent"].includes(delivery.status), delivery?.status);
      return code;
    }
    await pause(100);
  }
  throw new Error("no SMS came");
}

async function signIn(log: string): Promise<string> {
  const otp = await askForCode(log);
  const wrong = await stranger.POST("/signup", { body: { phone_number: NUMBER, otp: otp === "000000" ? "000001" : "000000" } });
  assert.equal(wrong.error?.code, "invalid_otp");
  const { data } = await stranger.POST("/signup", { body: { phone_number: NUMBER, otp } });
  assert(data !== undefined && "token" in data);
  assert.equal(data.data.phone_number, NUMBER);
  return data.token;
}

async function changeName(token: string): Promise<void> {
  const client = holderOf(token);
  const { data: me } = await client.GET("/me");
  assert(me !== undefined && !Number.isNaN(Date.parse(me.data.created_at)));
  const change = { name: "Asha Rao", version: me.data.version };
  const { data: changed } = await client.PATCH("/me", { body: change });
  assert.deepEqual([changed?.data.name, changed?.data.version], ["Asha Rao", me.data.version + 1]);
  const late = await client.PATCH("/me", { body: change });
  assert.deepEqual([late.response.status, late.error?.code], [409, "edit_conflict"]);
}

/** All sessions, a page at a time. */
async function sessions(token: string): Promise<Session[]> {
  const found: Session[] = [];
  let cursor: string | null = null;
  do {
    const query: { limit: number; cursor?: string } = cursor === null ? { limit: 1 } : { limit: 1, cursor };
    const { data } = await holderOf(token).GET("/tokens", { params: { query } });
    assert(data !== undefined && data.data.length <= 1);
    found.push(...data.data);
    cursor = data.next_cursor;
  } while (cursor !== null);
  return found;
}

/** What a backend is told about a token. */
async function introspect(token: string): Promise<components["schemas"]["Introspection"]> {
  const { data } = await backend.POST("/oauth/introspect", { body: { token } });
  assert(data !== undefined);
  return data;
}

/** A backend asks about a token, and ends its session. */
async function ask(token: string): Promise<void> {
  const told = await introspect(token);
  assert.deepEqual([told.active, told.phone_number, told.scope], [true, NUMBER, "authentication"]);
  const asStranger = await stranger.POST("/oauth/introspect", {
    body: { token, client_id: "nobody", client_secret: "nothing" },
    headers: FORM,
  });
  assert.deepEqual([asStranger.response.status, asStranger.error?.error], [401, "invalid_client"]);
  const { data: jwt } = await holderOf(token).POST("/tokens/current/jwt", { body: { audience: "orders" } });
  assert(jwt !== undefined && Date.parse(jwt.expires_at) > Date.now());
  const { data: jwks } = await stranger.GET("/oauth/jwks");
  assert.deepEqual(jwks?.keys.map((key) => [key.kty, key.alg, key.crv]), [["EC", "ES256", "P-256"]]);
  assert.equal((await backend.POST("/oauth/revoke", { body: { token } })).response.status, 200);
  assert.deepEqual(await introspect(token), { active: false });
}

/** Files and links of somebody who has none. */
async function readFiles(token: string): Promise<void> {
  const client = holderOf(token);
  const { data: files } = await client.GET("/files");
  assert.deepEqual(files, { data: [], next_cursor: null });
  const params = { path: { file_id: "m4q7n2w5zc6x3v2b7t6h4y5xke" } };
  const none = await client.GET("/files/{file_id}", { params });
  assert.deepEqual([none.response.status, none.error?.code], [404, "not_found"]);
  const body = { expires_in: 3600, max_downloads: 1 };
  const link = await client.POST("/files/{file_id}/links", { params, body });
  assert.deepEqual([link.response.status, link.error?.code], [404, "not_found"]);
}

async function converse(log: string): Promise<void> {
  const unsigned = await stranger.GET("/protected");
  assert.deepEqual([unsigned.response.status, unsigned.error?.code], [401, "unauthorized"]);
  const [first, second] = [await signIn(log), await signIn(log)];
  const opened = await holderOf(first).GET("/protected");
  assert.equal(opened.data?.data, "Protected");
  await changeName(first);
  const verified = await holderOf(first).GET("/auth/verify");
  assert.deepEqual([verified.response.status, verified.response.headers.get("x-user-name")], [200, "Asha%20Rao"]);

  const listed = await sessions(first);
  assert.deepEqual(listed.map((session) => session.current), [false, true]);
  const [other] = listed;
  assert(other !== undefined);
  const ended = await holderOf(first).DELETE("/tokens/{token_id}", { params: { path: { token_id: other.id } } });
  assert.equal(ended.response.status, 204);
  const refused = await holderOf(second).GET("/me");
  assert.equal(refused.error?.code, "invalid_authorization_header");
  assert.equal(refused.response.headers.get("www-authenticate"), "Bearer");

  const { data: renewal } = await holderOf(first).POST("/tokens/current/renewal");
  assert(renewal !== undefined && renewal.token !== first);
  const client = holderOf(renewal.token);
  const { data: events } = await client.GET("/me/events", { params: { query: { limit: 100 } } });
  assert.deepEqual(events?.data.map((event) => event.kind), ["renewed", "signed_out", "name_changed", "signed_in", "signed_up"]);
  await readFiles(renewal.token);
  await ask(await signIn(log));
  assert.equal((await client.DELETE("/tokens", { params: { query: { keep: "current" } } })).response.status, 204);
  assert.equal((await client.DELETE("/tokens/current")).response.status, 204);
  assert.equal((await client.GET("/me")).error?.code, "invalid_authorization_header");
}

await converse(workerLog);
console.log("   TypeScript: signed in, renewed, signed out");
