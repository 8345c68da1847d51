// How the pages look: pictures to look at, no sideways scrolling on a narrow screen, and enough contrast in the dark.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { isAccessible, picture, startBrowser, visitor } from "./support/browser.mjs";
import { startService } from "./support/service.mjs";
import { ask, newest } from "./support/steps.mjs";

let browser, service;
before(async () => {
  browser = await startBrowser();
  service = await startService({ SEND_COOLDOWN_SECONDS: "0", SENDS_PER_NUMBER_HOUR: "0", SENDS_PER_NUMBER_DAY: "0" });
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

// First, while the inbox has one message only.
test("the pictures of the README", async () => {
  const asha = await visitor(browser, service, { viewport: { width: 460, height: 620 } });
  const [page, inbox] = [await asha.open("/"), await asha.open("/dev/inbox")];
  await page.bringToFront();
  await ask(page, "+919876543299");
  const { code } = await newest(inbox, "+919876543299");
  await page.getByText("Your message was sent.").waitFor();
  await page.locator("#otp").pressSequentially(code.slice(0, 4));
  await picture(page, "sign-in");
  await inbox.bringToFront();
  await picture(inbox, "inbox");
  await asha.leave();
});

const LOOKS = {
  narrow: { viewport: { width: 320, height: 640 } },
  dark: { viewport: { width: 480, height: 760 }, colorScheme: "dark" },
  wide: { viewport: { width: 1280, height: 800 } },
};

for (const [name, options] of Object.entries(LOOKS)) {
  test(`every step, ${name}`, async () => {
    const asha = await visitor(browser, service, options);
    const [page, inbox] = [await asha.open("/"), await asha.open("/dev/inbox")];
    const seen = async (one, step) => {
      await one.bringToFront();
      const [needs, has] = await one.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
      assert.ok(needs <= has, `${step} is ${needs} px wide on ${has}`);
      await isAccessible(one, `${step}, ${name}`);
      await picture(one, `${name}-${step}`, { fullPage: true });
    };
    await seen(page, "sign-in");
    await ask(page);
    const { use } = await newest(inbox);
    await page.getByText("Your message was sent.").waitFor();
    await page.locator("#otp").pressSequentially("48");
    await seen(page, "code");
    await seen(inbox, "inbox");
    await use();
    await page.getByText("This device").first().waitFor();
    await seen(page, "signed-in");
    await asha.leave();
  });
}

test("without JavaScript the page says what to do instead", async () => {
  const asha = await visitor(browser, service, { javaScriptEnabled: false, viewport: { width: 480, height: 900 } });
  const page = await asha.open("/");
  await page.locator("noscript").waitFor();
  assert.match(await page.locator("pre").innerText(), /curl http:\/\/127\.0\.0\.1:\d+\/signup/);
  assert.equal(await page.getByRole("button").count(), 0, "nothing that would not work");
  await picture(page, "no-script", { fullPage: true });
  await asha.leave();
});
