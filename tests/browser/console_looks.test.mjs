// How the console looks: every view without a finding of axe-core, on screens of all widths, light and dark.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { isAccessible, picture, startBrowser } from "./support/browser.mjs";
import { operator } from "./support/console.mjs";
import { startFakeWebhook } from "./support/fake_webhook.mjs";
import { runInRedis } from "./support/redis.mjs";
import { startService } from "./support/service.mjs";
import { until } from "./support/until.mjs";

const NUMBER = "+919876543201";

let browser, provider, service;
before(async () => {
  browser = await startBrowser();
  provider = await startFakeWebhook();
  service = await startService({ ...provider.settings, ADMIN_ADDR: "127.0.0.1:0", SEND_COOLDOWN_SECONDS: "300" });
  await runInRedis(service.redisPort, countsOfADay());
  await heldUp();
});
after(async () => {
  await browser?.close();
  await service?.stop();
  await provider?.stop();
});

// As the scripts write them: in France, conversion falls within the last hour.
function countsOfADay() {
  const minute = Math.floor(Date.now() / 60_000);
  const commands = [];
  for (let ago = 1; ago < 26 * 60; ago += 1) {
    const wave = 1 + Math.sin(ago / 90) / 2;
    for (const [country, often, converts] of [["IN", 6, 0.86], ["FR", 2, ago < 60 ? 0.31 : 0.82], ["BR", 1, 0.78]]) {
      const asked = Math.round(often * wave * (1 + ((ago * 7919) % 10) / 20));
      const sent = asked - (ago % 9 === 0 ? 1 : 0);
      const fields = [["", "asked", asked], ["webhook", "sent", sent], ["webhook", "delivered", Math.round(sent * 0.96)], ["webhook", "verified", Math.round(asked * converts)],
        ["", "refused:cooldown", ago % 4 === 0 ? 1 : 0], ["", "refused:address", ago % 31 === 0 ? 2 : 0], ["webhook", "attempt_failed", asked - sent]];
      const given = fields.filter(([, , times]) => times > 0).flatMap(([by, what, times]) => [`${country} ${by} ${what}`, times]);
      commands.push(["HSET", `{cheershare}:counts:${minute - ago}`, ...given]);
    }
  }
  return commands;
}

// Somebody with an account whose last code was guessed wrong, and who asked again at once.
async function heldUp() {
  const signUp = (body) => fetch(`${service.url}/signup`, { method: "POST", headers: { "Content-Type": "application/json", "User-Agent": "Cheershare/1.0 (Android 15)" },
    body: JSON.stringify({ phone_number: NUMBER, ...body }) });
  const code = (count) => until(`SMS ${count}`, () => provider.messages.filter(({ to }) => to === NUMBER)[count - 1]?.body.match(/\b\d{6}\b/)?.[0]);
  await signUp({ name: "Asha" });
  await signUp({ otp: await code(1) });
  await signUp({ name: "Asha" });
  const right = await code(2);
  await signUp({ otp: right === "111111" ? "222222" : "111111" });
  await signUp({ name: "Asha" });
}

const LOOKS = {
  narrow: { viewport: { width: 360, height: 740 } },
  dark: { viewport: { width: 1280, height: 860 }, colorScheme: "dark" },
  "narrow-dark": { viewport: { width: 360, height: 740 }, colorScheme: "dark" },
  wide: { viewport: { width: 1280, height: 860 } },
};
const VIEWS = {
  overview: "overview", day: "overview?range=day", person: "person?q=%2B919876543201", people: "person?q=a",
  deliveries: "deliveries?phone_number=%2B919876543201", "dead-letters": "dead-letters", events: "events?user_id=1",
  actions: "actions", clients: "clients", keys: "keys",
};

for (const [name, options] of Object.entries(LOOKS)) {
  test(`every view, ${name}`, async () => {
    const ravi = await operator(browser, service, "owner", options);
    const { page } = ravi;
    for (const [view, hash] of Object.entries(VIEWS)) {
      await page.goto(`${service.admin}/#/${hash}`);
      await page.waitForFunction(() => document.querySelector("#content")?.children.length && !/^(Looking|Loading)$/.test(document.querySelector("#content").innerText));
      if (view === "overview") await page.getByText("Live", { exact: true }).waitFor();
      const [needs, has] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
      assert.ok(needs <= has, `${view} is ${needs} px wide on ${has}`);
      await isAccessible(page, `${view}, ${name}`);
      await picture(page, `console-${name}-${view}`, { fullPage: true });
    }
    await ravi.leave();
  });
}

test("the pictures of the README", async () => {
  const priya = await operator(browser, service, "operator", { viewport: { width: 1180, height: 900 } });
  const { page } = priya;
  await page.getByText("Live", { exact: true }).waitFor();
  await page.getByText("Conversion in France fell").waitFor();
  await picture(page, "console-overview");
  await page.goto(`${service.admin}/#/person?q=${encodeURIComponent(NUMBER)}`);
  await page.getByText("Cooldown: the next SMS").waitFor();
  await picture(page, "console-person");
  await priya.leave();
});
