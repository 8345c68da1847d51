// Commands of Redis, for what a test cannot wait for.

import { createConnection } from "node:net";

// Runs commands, each a list of words, one after the other. Any answer will do.
export function runInRedis(port, commands) {
  const text = commands.map((words) =>
    `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`).join("")}`).join("");
  return new Promise((done, fail) => {
    let answered = "";
    const socket = createConnection(port, "127.0.0.1", () => socket.write(text));
    socket.on("error", fail);
    socket.on("data", (data) => {
      answered += data;
      if (answered.split("\r\n").length > commands.length) {
        socket.destroy();
        done();
      }
    });
  });
}
