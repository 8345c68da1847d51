// Requests as clients send them: any header, any method, nothing followed.

import { request as start } from "node:http";

// Answers { status, headers, text, body }, where `body` is what the app says reached it.
export function send(address, path, { method = "GET", headers = {}, body } = {}) {
  const [host, port] = address.split(":");
  return new Promise((done, fail) => {
    const request = start({ host, port, path, method, headers, agent: false }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      let json;
      try {
        json = JSON.parse(text);
      } catch {
        json = undefined;
      }
      done({ status: response.statusCode, headers: response.headers, text, body: json });
    });
    request.setTimeout(20_000, () => request.destroy(new Error(`no answer to ${method} ${path}`)));
    request.on("error", fail);
    request.end(body);
  });
}

// Asks for an upgrade. Answers { status, head, say }, where `say` sends a text and answers all that came after it.
export function upgrade(address, path, headers = {}) {
  const [host, port] = address.split(":");
  const asked = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", ...headers };
  return new Promise((done, fail) => {
    const request = start({ host, port, path, headers: asked, agent: false });
    request.setTimeout(20_000, () => request.destroy(new Error(`no answer to an upgrade of ${path}`)));
    request.on("error", fail);
    request.on("response", (response) => {
      response.resume();
      done({ status: response.statusCode });
    });
    request.on("upgrade", (response, socket, head) => {
      let heard = head.toString();
      socket.on("data", (chunk) => (heard += chunk));
      socket.on("error", () => {});
      const hear = async (text) => {
        while (!heard.includes(text)) await new Promise((more, closed) => socket.once("data", more).once("close", () => closed(new Error(`heard only ${heard}`))));
      };
      done({ status: response.statusCode, hear, say: (text) => socket.write(text), end: () => socket.destroy() });
    });
    request.end();
  });
}

// The values that reached the app under a name, however it is spelled.
export function values({ rawHeaders }, name) {
  const plain = (text) => text.toLowerCase().replaceAll("_", "-");
  return rawHeaders.filter((_, at) => at % 2 === 1 && plain(rawHeaders[at - 1]) === name);
}
