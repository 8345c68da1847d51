// Users of the service and their files.

import { createHash } from "node:crypto";
import { request } from "node:http";

import { startService } from "../browser/support/service.mjs";

const NUMBER = "+919876543210";
const CODE = "471147";
export const PIECE = "application/offset+octet-stream";
export const MB = 1024 * 1024;

export const startFiles = (settings) =>
  startService({ TEST_NUMBERS: `${NUMBER}=${CODE}@2099-12-31`, SEND_COOLDOWN_SECONDS: "0", ...settings });

// Signs in; answers the token.
export async function signIn(url) {
  const post = async (body) => {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${url}/signup`, { method: "POST", headers, body: JSON.stringify(body) });
    if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  await post({ name: "Asha", phone_number: NUMBER });
  return (await post({ phone_number: NUMBER, otp: CODE })).token;
}

// A user's requests by tus.
export class Tus {
  constructor(url, token) {
    this.url = url;
    this.headers = { authorization: `Bearer ${token}` };
  }

  async call(method, path, headers = {}, body = undefined) {
    const tus = { "tus-resumable": "1.0.0" };
    return fetch(this.url + path, { method, headers: { ...this.headers, ...tus, ...headers }, body });
  }

  // Where the new file is.
  async announce(name, size) {
    const metadata = `filename ${Buffer.from(name).toString("base64")}`;
    const answer = await this.call("POST", "/files", { "upload-length": `${size}`, "upload-metadata": metadata });
    if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
    return answer.headers.get("location");
  }

  piece(path, offset, bytes) {
    return this.call("PATCH", path, { "content-type": PIECE, "upload-offset": `${offset}` }, bytes);
  }

  async offset(path) {
    const answer = await this.call("HEAD", path);
    if (answer.status !== 200) throw new Error(`${answer.status}`);
    return Number(answer.headers.get("upload-offset"));
  }

  async file(path) {
    const list = await (await fetch(`${this.url}/files?limit=100`, { headers: this.headers })).json();
    return list.data.find((file) => path.endsWith(file.id));
  }

  // SHA-256 of what comes back.
  async downloaded(path) {
    const answer = await fetch(this.url + path, { headers: this.headers });
    if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
    const hash = createHash("sha256");
    for await (const chunk of answer.body) hash.update(chunk);
    return hash.digest("hex");
  }

  // Streams the file from there on, and cuts the connection after so many bytes unless the file ends before. `read` gives
  // the bytes of the file. Answers the status, or null where it was cut.
  stream(path, offset, size, cutAfter, read) {
    return new Promise((done, failed) => {
      const headers = {
        ...this.headers,
        "tus-resumable": "1.0.0",
        "content-type": PIECE,
        "upload-offset": `${offset}`,
        "content-length": `${size - offset}`,
      };
      let at = offset;
      let isCut = false;
      const sending = request(this.url + path, { method: "PATCH", headers }, (answer) => {
        answer.resume();
        answer.on("end", () => done(answer.statusCode));
      });
      sending.on("error", (error) => (isCut ? done(null) : failed(error)));
      const write = () => {
        while (at < size) {
          if (at - offset >= cutAfter) {
            isCut = true;
            sending.destroy(new Error("cut"));
            return;
          }
          const chunk = read(at, Math.min(1 * MB, size - at));
          at += chunk.length;
          if (!sending.write(chunk)) {
            sending.once("drain", write);
            return;
          }
        }
        sending.end();
      };
      write();
    });
  }
}

// A file of any size without keeping it: a block that is told by where it is.
export function pattern() {
  const block = Buffer.alloc(1 * MB);
  for (let index = 0; index < block.length; index += 4) block.writeUInt32LE((index * 2654435761) >>> 0, index);
  return (at, length) => {
    const begin = at % block.length;
    const chunk = Buffer.from(block.subarray(begin, Math.min(begin + length, block.length)));
    if (begin === 0 && chunk.length >= 8) chunk.writeDoubleLE(at, 0);
    return chunk;
  };
}

export function hashOf(read, size) {
  const hash = createHash("sha256");
  for (let at = 0; at < size; ) {
    const chunk = read(at, Math.min(1 * MB, size - at));
    hash.update(chunk);
    at += chunk.length;
  }
  return hash.digest("hex");
}
