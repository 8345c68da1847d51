// Libraries of Python's servers. PYTHON is the Python that has them.

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { atPaths, startProgram } from "./support/apps.mjs";
import { SECRET, client, signsInAndOut, startProvider } from "./support/provider.mjs";
import { recipe } from "./support/recipes.mjs";

const { PYTHON: python } = process.env;
const here = dirname(fileURLToPath(import.meta.url));

let provider, folder;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "python-"));
  provider = await startProvider([
    client("authlib", "/callback"),
    client("django", "/oidc/callback/", { synthetic_email: "users.invalid" }),
  ]);
});
after(async () => {
  await provider?.stop();
  await rm(folder, { recursive: true });
});

test("Authlib", async () => {
  const server = (port) => ["-B", "-m", "flask", "--app", join(here, "flask_app.py"), "run", "--port", String(port)];
  const env = { ISSUER: provider.url, CLIENT_ID: "authlib", CLIENT_SECRET: SECRET };
  const app = await startProgram(python, server, { cwd: folder, env });
  await app.whileItRuns(() => signsInAndOut(provider, atPaths(app.url)));
});

test("mozilla-django-oidc, by the recipe", async () => {
  const env = {
    PATH: process.env.PATH,
    PYTHONPATH: [folder, join(here, "django_app")].join(delimiter),
    DJANGO_SETTINGS_MODULE: "settings",
    DATABASE: join(folder, "database"),
    CLIENT_ID: "django",
    CLIENT_SECRET: SECRET,
  };
  const django = ["-B", "-m", "django"];
  const server = async (port, url) => {
    const addresses = { "https://signin.example.com": provider.url, "https://shop.example.com": url };
    await writeFile(join(folder, "settings.py"), `from base_settings import *\n${await recipe("settings.py", addresses)}`);
    await writeFile(join(folder, "sign_out.py"), await recipe("sign_out.py", addresses));
    await promisify(execFile)(python, [...django, "migrate"], { cwd: folder, env });
    return [...django, "runserver", "--noreload", String(port)];
  };
  const app = await startProgram(python, server, { cwd: folder, env });
  const paths = atPaths(app.url, "/oidc/authenticate/");
  const signOut = (user) => user.open(`${app.url}/oidc/logout/`, {});
  const expected = (sub) => ({ email: `${sub}@users.invalid` });
  await app.whileItRuns(() => signsInAndOut(provider, { ...paths, signOut }, expected));
});
