// The apps, one for each library, on free ports of localhost.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { freePort } from "../../browser/support/service.mjs";
import { until } from "../../browser/support/until.mjs";

const packages = createRequire(join(process.env.PACKAGES, "package.json"));

// A package that bin/test has installed.
export const load = (name) => import(pathToFileURL(packages.resolve(name)).href);

// What an app with such paths is to a user.
export const atPaths = (url, begin = "/login") => ({
  url,
  begin: (user) => user.open(`${url}${begin}`),
  signOut: (user) => user.open(`${url}/logout`),
  async claims(user) {
    const { status, text } = await user.open(`${url}/me`);
    if (status === 401) return undefined;
    assert.equal(status, 200, text);
    return JSON.parse(text);
  },
});

// An app with a session for each browser. `routes` gets the app of Express, and its URL.
export async function startExpress(routes) {
  const { default: express } = await load("express");
  const { default: session } = await load("express-session");
  const app = express();
  app.use(session({ secret: "of the tests", resave: false, saveUninitialized: true }));
  const server = app.listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  const url = `http://localhost:${server.address().port}`;
  await routes(app, url);
  app.get("/me", (request, response) => {
    if (request.session.claims) response.json(request.session.claims);
    else response.sendStatus(401);
  });
  app.get("/bye", (request, response) => response.send("Signed out"));
  app.get("/", (request, response) => response.send("Welcome"));
  const stop = () => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  };
  return { ...atPaths(url), stop };
}

// A program on that port or a free one, which `args` is told. It is there when it answers.
export async function startProgram(program, args, { cwd, env = {}, path = "/", seconds = 20, port }) {
  port ??= await freePort();
  const url = `http://localhost:${port}`;
  const parameters = await args(port, url);
  const own = { PATH: `${process.env.PATH}:/usr/sbin`, HOME: cwd, ...env };
  const child = spawn(program, parameters, { cwd, env: own, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
  let hasEnded = false;
  const ended = new Promise((done) => child.once("exit", done).once("error", done)).finally(() => (hasEnded = true));
  const stop = async () => {
    child.kill("SIGTERM");
    const killed = setTimeout(() => child.kill("SIGKILL"), 5000);
    await ended;
    clearTimeout(killed);
  };
  const answers = () => {
    if (hasEnded) throw new Error(`${program} has ended`);
    return fetch(`${url}${path}`, { redirect: "manual" }).then(() => true, () => false);
  };
  await until(program, answers, seconds).catch(async (error) => {
    await stop();
    assert.fail(`${error.message}: ${said}`);
  });
  // What it said is shown where that fails.
  const whileItRuns = async (work) => {
    try {
      await work();
    } catch (error) {
      console.error(said);
      throw error;
    } finally {
      await stop();
    }
  };
  return { url, whileItRuns };
}
