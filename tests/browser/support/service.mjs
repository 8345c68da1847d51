// The service as it is run, for a browser: API and worker processes on a private Redis and a SQLite file.

import { execFile, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdtemp, mkdir, readFile, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { until } from "./until.mjs";

const execute = promisify(execFile);

// Starts it with these settings; everything else has its default, but for limits by which the tests would shut each other
// out. Answers { url, admin, redisPort, log, pid, signal, end, run, stop }; `admin` is the console's address where ADMIN_ADDR is set.
export async function startService(settings = {}) {
  const folder = await mkdtemp(join(tmpdir(), "browser-"));
  const processes = [];
  const start = (name, program, args, env) => {
    const child = spawn(program, args, { cwd: folder, env: { PATH: process.env.PATH, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    const log = createWriteStream(join(folder, `${name}.log`));
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    const ended = new Promise((done) => child.once("exit", done));
    processes.push({ name, child, ended });
  };
  const log = (name) => readFile(join(folder, `${name}.log`), "utf8").catch(() => "");
  const find = (name) => processes.find((one) => one.name === name);
  const signal = (name, which) => find(name).child.kill(which);
  const end = async (name, which = "SIGTERM") => {
    signal(name, which);
    await find(name).ended;
  };
  const stop = async () => {
    for (const { name } of [...processes].reverse()) await end(name);
    await rm(folder, { recursive: true });
  };

  const redisPort = await freePort();
  await mkdir(join(folder, "redis"));
  start("redis", process.env.TEST_REDIS_SERVER, ["--port", String(redisPort), "--bind", "127.0.0.1", "--dir", join(folder, "redis"), "--save", ""], {});
  await until("Redis", () => accepts(redisPort));
  const env = {
    HOST: "127.0.0.1",
    PORT: "0",
    METRICS_ADDR: "off",
    ADMIN_ADDR: "off",
    LOG_FORMAT: "json",
    REDIS_URL: `redis://127.0.0.1:${redisPort}`,
    SENDS_PER_ADDRESS_HOUR: "0",
    SENDS_PER_RANGE_HOUR: "0",
    ...settings,
  };
  start("api", join(process.env.PROGRAMS, "api"), [], env);
  const address = await until("an API that listens", async () =>
    (await log("api")).match(/"event":"listening","address":"([^"]+)"/)?.[1]);
  start("worker", join(process.env.PROGRAMS, "worker"), [], env);
  await until("a worker", async () => (await log("worker")).includes("worker_started"));
  const admin = (await log("api")).match(/"event":"admin_listening","address":"([^"]+)"/)?.[1];
  // What a command prints.
  const run = async (program, ...args) =>
    (await execute(join(process.env.PROGRAMS, program), args, { cwd: folder, env: { PATH: process.env.PATH, ...env } })).stdout;
  const pid = (name) => find(name).child.pid;
  return { url: `http://${address}`, admin: admin && `http://${admin}`, redisPort, log, pid, signal, end, run, stop };
}

export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

function accepts(port) {
  return new Promise((done) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
    socket.once("close", () => socket.destroy());
    socket.once("connect", () => socket.destroy());
  });
}
