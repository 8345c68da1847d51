// Operators at the console.

import { visitor } from "./browser.mjs";

// Somebody with a key of that role, signed in.
export async function operator(browser, service, role = "operator", options = {}) {
  const name = `${role} ${Math.random().toString(36).slice(2, 8)}`;
  const { key } = JSON.parse(await service.run("api", "admin-key", "add", "--name", name, "--role", role, "--json"));
  const one = await visitor(browser, { ...service, url: service.admin }, options);
  // The page asks whether it is signed in.
  one.expectStatus(401);
  const page = await one.open("/");
  await page.getByLabel("Admin key").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  return { ...one, page, key, name };
}

// Types it into the field that is on every view.
export async function find(page, text) {
  await page.getByRole("searchbox").fill(text);
  await page.getByRole("searchbox").press("Enter");
  await page.getByRole("heading", { name: "What happened, newest first" }).waitFor();
}

// What holds the person up now, as the page says it.
export const holds = (page) => page.locator(".holds > li");

// Presses the button, and confirms what it asks.
export async function confirm(page, name, action = name) {
  await page.getByRole("button", { name, exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: action, exact: true }).click();
  await page.getByRole("dialog").waitFor({ state: "hidden" });
}
