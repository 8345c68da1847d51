// Auth.js, of today and as Next.js apps have it. Both want a form with their token against CSRF before they lead anybody to
// the sign-in.

import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";

import { load, startExpress, startProgram } from "./support/apps.mjs";
import { SECRET, client, signsInAndOut, startProvider } from "./support/provider.mjs";
import { recipe } from "./support/recipes.mjs";

// Beside the packages, which are found from there.
const folder = join(process.env.PACKAGES, "next");

let provider;
before(async () => {
  provider = await startProvider([
    client("next-auth", "/api/auth/callback/cheershare"),
    client("auth-core", "/auth/callback/cheershare"),
  ]);
});
after(async () => {
  await provider?.stop();
  await rm(folder, { recursive: true, force: true });
});

const atAuth = (url, base) => ({
  url,
  async begin(user) {
    const { csrfToken } = JSON.parse((await user.open(`${url}${base}/csrf`)).text);
    return user.open(`${url}${base}/signin/cheershare`, { csrfToken, callbackUrl: `${url}/` });
  },
  async claims(user) {
    const { status, text } = await user.open(`${url}${base}/session`);
    assert.equal(status, 200, text);
    return JSON.parse(text)?.user;
  },
  signOut: (user) => user.open(`${url}/sign-out`, { any: "thing" }),
});

test("next-auth 4 in Next.js, by the recipe", async () => {
  const at = (path) => join(folder, path);
  const files = {
    "app/layout.js": `export default ({ children }) => <html><body>{children}</body></html>;`,
    "app/page.js": `export default () => "Welcome";`,
    "app/api/auth/[...nextauth]/route.js": `import NextAuth from "next-auth";
      import { authOptions } from "../../../../auth.js";
      const handler = NextAuth(authOptions);
      export { handler as GET, handler as POST };`,
  };
  const args = async (port, url) => {
    const addresses = { "https://signin.example.com": provider.url, "https://shop.example.com": url };
    files["auth.js"] = await recipe("auth.js", addresses);
    files["app/sign-out/route.js"] = await recipe("sign_out.js", addresses);
    await rm(folder, { recursive: true, force: true });
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(at(path)), { recursive: true });
      await writeFile(at(path), text);
    }
    env.NEXTAUTH_URL = url;
    return [join(process.env.PACKAGES, "node_modules/next/dist/bin/next"), "dev", "--hostname", "127.0.0.1", "--port", String(port)];
  };
  await mkdir(folder, { recursive: true });
  const env = { HOME: tmpdir(), NEXTAUTH_SECRET: "of the tests", NEXT_TELEMETRY_DISABLED: "1", CLIENT_ID: "next-auth", CLIENT_SECRET: SECRET };
  const app = await startProgram(process.execPath, args, { cwd: folder, env, path: "/api/auth/csrf", seconds: 120 });
  await app.whileItRuns(() => signsInAndOut(provider, atAuth(app.url, "/api/auth")));
});

test("@auth/core, by the recipe", async () => {
  const { Auth } = await load("auth-core");
  await mkdir(folder, { recursive: true });
  const file = join(folder, "cheershare.mjs");
  await writeFile(file, await recipe("cheershare.js", { "https://signin.example.com": provider.url }));
  Object.assign(process.env, { CLIENT_ID: "auth-core", CLIENT_SECRET: SECRET });
  const { cheershare } = await import(pathToFileURL(file).href);
  const config = {
    providers: [cheershare],
    secret: "of the tests",
    trustHost: true,
    basePath: "/auth",
    callbacks: {
      jwt: ({ token, profile, account }) => (account ? { ...token, ...profile, id_token: account.id_token } : token),
      session: ({ session, token: { sub, name, phone_number, id_token } }) =>
        ({ ...session, user: { sub, name, phone_number }, id_token }),
    },
  };
  const app = await startExpress(async (express, url) => {
    express.use("/auth", async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      const { method, headers, originalUrl } = request;
      const answer = await Auth(new Request(`${url}${originalUrl}`, { method, headers, body: body || undefined }), config);
      response.status(answer.status).setHeaders(answer.headers).send(Buffer.from(await answer.arrayBuffer()));
    });
    express.post("/sign-out", async (request, response) => {
      const { id_token } = await (await Auth(new Request(`${url}/auth/session`, { headers: request.headers }), config)).json();
      response.clearCookie("authjs.session-token");
      const query = new URLSearchParams({ id_token_hint: id_token, post_logout_redirect_uri: `${url}/bye` });
      response.redirect(303, `${provider.url}/oauth/end_session?${query}`);
    });
  });
  try {
    await signsInAndOut(provider, atAuth(app.url, "/auth"));
  } finally {
    await app.stop();
  }
});
