// The six gateways: what each is started with, beside its recipe.

import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { freePort } from "../../browser/support/service.mjs";
import { until } from "../../browser/support/until.mjs";
import { send } from "./client.mjs";
import { writeRecipe } from "./recipes.mjs";

const { TRAEFIK, ENVOY } = process.env;

// What a recipe is put into on a whole machine is written beside it. Each answers the command that runs in the foreground.
export const GATEWAYS = {
  async nginx(folder, files) {
    const main = join(folder, "nginx.conf");
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    await writeFile(main, `daemon off; pid ${folder}/pid; worker_processes 1; error_log stderr; events {}
      http { access_log off; ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(" ")}
      include ${files["app.conf"]}; }`);
    return ["nginx", "-c", main, "-p", folder, "-e", "stderr"];
  },

  async Caddy(folder, files) {
    const options = "{\n\tadmin off\n}\n";
    await writeFile(files.Caddyfile, options + (await readFile(files.Caddyfile, "utf8")));
    return ["caddy", "run", "--config", files.Caddyfile, "--adapter", "caddyfile"];
  },

  async Traefik(folder, files) {
    return [TRAEFIK, `--configFile=${files["traefik.yaml"]}`];
  },

  async Envoy(folder, files) {
    return [ENVOY, "-c", files["envoy.yaml"], "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"];
  },

  async HAProxy(folder, files) {
    return ["haproxy", "-db", "-f", files["haproxy.cfg"]];
  },

  async Apache(folder, files) {
    const main = join(folder, "apache2.conf");
    const modules = ["mpm_event", "authz_core", "headers", "lua", "proxy", "proxy_http", "proxy_wstunnel"];
    await writeFile(main, `ServerRoot ${folder}\nServerName localhost\nPidFile ${folder}/pid\nErrorLog ${folder}/log\n
      ${modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so\n`).join("")}
      DefaultRuntimeDir ${folder}\nStartServers 1\n
      Include ${files["app.conf"]}\n`);
    return ["apache2", "-f", main, "-D", "FOREGROUND"];
  },
};

// Starts a gateway by its recipe, in front of the app, on that port or a free one. Answers { address, log, stop }.
export async function startGateway(name, cheershare, app, port) {
  const folder = await mkdtemp(join(tmpdir(), "gateway-"));
  // Some give up being root.
  await chmod(folder, 0o755);
  const address = `127.0.0.1:${port ?? (await freePort())}`;
  const addresses = { "127.0.0.1:8080": address, "127.0.0.1:4000": cheershare, "127.0.0.1:3000": app };
  const files = await writeRecipe(name, folder, addresses);
  const [program, ...options] = await GATEWAYS[name](folder, files);
  await mkdir(join(folder, "home"));
  const env = { PATH: `${process.env.PATH}:/usr/sbin`, HOME: join(folder, "home") };
  const child = spawn(program, options, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const path = join(folder, "log");
  const file = createWriteStream(path);
  child.stdout.pipe(file, { end: false });
  child.stderr.pipe(file, { end: false });
  let hasEnded = false;
  const ended = new Promise((done) => child.once("exit", done).once("error", done)).finally(() => (hasEnded = true));
  const log = () => readFile(path, "utf8");
  const stop = async () => {
    child.kill("SIGTERM");
    const killed = setTimeout(() => child.kill("SIGKILL"), 5000);
    await ended;
    clearTimeout(killed);
    await rm(folder, { recursive: true });
  };
  try {
    await until(`${name} that passes on what is open`, async () => {
      if (hasEnded) throw new Error(`${name} has ended`);
      return send(address, "/public/ready").then(({ status }) => status === 200, () => false);
    });
  } catch (error) {
    const said = await log();
    await stop();
    throw new Error(`${error.message}; it said:\n${said}`);
  }
  return { address, log, stop };
}
