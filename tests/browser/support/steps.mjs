// What people do on the pages.

export const NUMBER = "+919876543210";
export const NAME = "Asha";

export async function ask(page, number = NUMBER, name = NAME) {
  await page.getByLabel("Phone number").pressSequentially(number);
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Text me a code" }).click();
  await page.getByRole("heading", { name: "Enter your code" }).waitFor();
}

// The code of the number's newest message in the inbox, and `use`, which fills it in on the sign-in page. Waits for so many
// messages.
export async function newest(inbox, number = NUMBER, count = 1) {
  const messages = inbox.locator("#messages li").filter({ hasText: number });
  await messages.nth(count - 1).waitFor();
  const button = messages.first().getByRole("button");
  const code = (await button.innerText()).match(/\d+/)[0];
  return { code, use: () => button.click() };
}

// Another code of the same length.
export const another = (code, step = 1) =>
  String((Number(code) + step) % 10 ** code.length).padStart(code.length, "0");

export async function signIn(page, inbox, number = NUMBER, count = 1) {
  await page.bringToFront();
  await ask(page, number);
  const { use } = await newest(inbox, number, count);
  await use();
  await page.getByRole("heading", { name: `Hello, ${NAME}` }).waitFor();
}

export const focused = (page) => page.evaluate(() => document.activeElement.id);
