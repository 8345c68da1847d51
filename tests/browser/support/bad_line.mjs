// A line to the service that is as slow as the test says, and breaks when it says so.

import { connect, createServer } from "node:net";

// `line.bytesASecond` is how much a connection brings to the service; all that comes, where it is undefined.
export async function startBadLine(service) {
  const { port, hostname } = new URL(service.url);
  const sockets = new Set();
  const line = { bytesASecond: undefined };
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    far.pipe(near);
    near.on("end", () => far.end());
    near.on("data", (chunk) => {
      near.pause();
      const wait = line.bytesASecond ? (chunk.length / line.bytesASecond) * 1000 : 0;
      far.write(chunk, () => setTimeout(() => near.resume(), wait));
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  line.url = `http://127.0.0.1:${server.address().port}`;
  line.cut = () => sockets.forEach((socket) => socket.resetAndDestroy());
  line.stop = () => {
    line.cut();
    return new Promise((done) => server.close(done));
  };
  return line;
}
