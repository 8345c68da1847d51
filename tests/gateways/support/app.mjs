// The app behind the gateway: it answers with what reached it, and echoes what comes over an upgraded connection.

import { createHash } from "node:crypto";
import { createServer } from "node:http";

// RFC 6455, 1.3.
const accept = (key) => createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");

export async function startApp() {
  const app = { url: undefined, seen: [], stop: undefined };
  const server = createServer(async (request, response) => {
    const body = createHash("sha256");
    for await (const chunk of request) body.update(chunk);
    const { method, url, rawHeaders } = request;
    app.seen.push(url);
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ method, url, rawHeaders, sha256: body.digest("hex") }));
  });
  server.on("upgrade", (request, socket, head) => {
    app.seen.push(request.url);
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      `Sec-WebSocket-Accept: ${accept(request.headers["sec-websocket-key"])}\r\n\r\n`);
    socket.write(`hello ${request.headers["x-user-id"]};`);
    socket.write(head);
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  app.address = `127.0.0.1:${server.address().port}`;
  app.stop = () => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  };
  return app;
}
