// A receiver of the provider `webhook`. It keeps what it was sent, and answers as the test says.

import { createServer } from "node:http";

export async function startFakeWebhook() {
  const messages = [];
  const fake = { messages, status: 200, body: {}, settings: undefined, stop: undefined };
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    messages.push(JSON.parse(text).data);
    response.writeHead(fake.status, { "Content-Type": "application/json" }).end(JSON.stringify(fake.body));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  fake.settings = {
    SMS_PROVIDERS: "webhook",
    SMS_WEBHOOK_URL: `http://127.0.0.1:${server.address().port}/sms`,
    SMS_WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, "k").toString("base64")}`,
  };
  fake.stop = () => {
    server.closeAllConnections?.();
    return new Promise((done) => server.close(done));
  };
  return fake;
}
