// mod_auth_openidc by the recipe, in front of an app.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { freePort } from "../browser/support/service.mjs";
import { until } from "../browser/support/until.mjs";
import { startProgram } from "./support/apps.mjs";
import { SECRET, User, client, signsInAndOut, startProvider } from "./support/provider.mjs";
import { recipe } from "./support/recipes.mjs";

const MODULES = ["mpm_event", "authn_core", "authz_core", "authz_user", "proxy", "proxy_http", "auth_openidc"];

let provider, folder, app, port;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "apache-"));
  port = await freePort();
  const backchannel_logout_uri = `http://localhost:${port}/oidc?logout=backchannel`;
  provider = await startProvider([client("apache", "/oidc", { backchannel_logout_uri })]);
  // Answers with the headers that reached it.
  app = createServer((request, response) => response.end(JSON.stringify(request.headers)));
  await new Promise((done) => app.listen(0, "127.0.0.1", done));
});
after(async () => {
  app?.close();
  await provider?.stop();
  await rm(folder, { recursive: true });
});

test("mod_auth_openidc, by the recipe", async () => {
  const args = async (_, url) => {
    const addresses = { "https://signin.example.com": provider.url, "https://app.example.com": url };
    await writeFile(join(folder, "app.conf"), await recipe("app.conf", addresses));
    await writeFile(join(folder, "apache.conf"), `ServerRoot ${folder}
      ServerName ${new URL(url).host}
      Listen 127.0.0.1:${port}
      PidFile ${folder}/apache.pid
      DefaultRuntimeDir ${folder}
      ErrorLog "|/bin/cat"
      ${MODULES.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join("\n")}
      ProxyPass / http://127.0.0.1:${app.address().port}/
      Include ${folder}/app.conf\n`);
    return ["-X", "-f", join(folder, "apache.conf")];
  };
  const env = { CLIENT_SECRET: SECRET, PASSPHRASE: "of the tests" };
  const apache = await startProgram("apache2", args, { cwd: folder, env, path: "/bye", port });
  const begin = (user) => user.open(`${apache.url}/`);
  const claims = async (user) => {
    const { url, text } = await begin(user);
    if (!url.startsWith(`${apache.url}/`)) return undefined;
    const { oidc_claim_sub: sub, oidc_claim_name: name, oidc_claim_phone_number: phone_number } = JSON.parse(text);
    return { sub, name, phone_number };
  };
  const signOut = (user) => user.open(`${apache.url}/oidc?${new URLSearchParams({ logout: `${apache.url}/bye` })}`);
  await apache.whileItRuns(async () => {
    await signsInAndOut(provider, { url: apache.url, begin, claims, signOut });

    // It is told of a session that ends elsewhere.
    const [user, other] = [new User(provider), new User(provider)];
    for (const one of [user, other]) await one.signIn(await begin(one));
    await user.endSession();
    await until("a user whom Apache has forgotten", async () => (await claims(user)) === undefined);
    assert.equal((await claims(other)).sub, other.id);
  });
});
