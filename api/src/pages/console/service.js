// The admin API, as the console asks it.

// Answers { ok, status, code, wait, data, … }. `wait` is Retry-After in seconds.
export async function call(method, path, body) {
  try {
    const headers = body === undefined ? {} : { "Content-Type": "application/json" };
    const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
    const fields = await answer.json().catch(() => ({}));
    if (answer.status === 401) dispatchEvent(new Event("signed-out"));
    return { ...fields, ok: answer.ok, status: answer.status, wait: Number(answer.headers.get("Retry-After")) };
  } catch {
    return { ok: false, code: "network" };
  }
}

export const get = (path, query) => call("GET", path + question(query));

// The part of an address behind its path, of what is not empty.
export function question(query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

export async function signIn(key) {
  try {
    const answer = await fetch("/admin/session", { method: "POST", headers: { Authorization: `Bearer ${key}` } });
    const fields = await answer.json().catch(() => ({}));
    return { ...fields, ok: answer.ok, wait: Number(answer.headers.get("Retry-After")) };
  } catch {
    return { ok: false, code: "network" };
  }
}

const ROLES = ["viewer", "operator", "owner"];
// Whether somebody of that role may do what needs the other one.
export const may = (me, needed) => ROLES.indexOf(me.role) >= ROLES.indexOf(needed);

// What went wrong, in words.
export function problem({ code, error, wait }) {
  const known = {
    network: "The service cannot be reached. Check your connection, or the tunnel to it.",
    unavailable: `${error ?? "A store is unavailable"}. Try again in a moment.`,
    overloaded: "The service is very busy. Try again in a moment.",
    role_too_low: "Your key's role may not do this. Ask somebody whose key may.",
    look_up_limit: `Your key has looked up as many numbers as it may within an hour. Try again in ${Math.ceil(wait / 60)} minutes, or find the person by their name or id.`,
    too_many_wrong_keys: `Too many wrong keys. Try again in ${wait} seconds.`,
    invalid_authorization_header: "This key is wrong, over or removed.",
    foreign_page: "Your browser says that another page asked for this. Open the console by its own address.",
    invalid_phone_number: "This is no phone number that can exist. Check its digits, and begin it with + and the country's code.",
    number_or_id: "This is neither a user's id nor a phone number that can exist.",
    user_not_found: "There is no such user. They may have deleted their account.",
  };
  return known[code] ?? error ?? "Something went wrong. Try again.";
}
