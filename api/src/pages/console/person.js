// One person: what happened, what holds them up now, and the buttons that end it.

import { button, country, element, failure, link, moment, plural, table, time } from "./dom.js";
import { always, endSessions, ending, revealing } from "./person_actions.js";
import { get, may, problem } from "./service.js";
import { happened, holds } from "./person_words.js";
import { STATUSES, reason } from "./words.js";

// Digits in any writing of a number, and what people put between them.
const looksLikeNumber = (text) => /^[+(\p{Nd}][\p{Nd}\s()./-]*$/u.test(text) && text.replace(/\P{Nd}/gu, "").length > 5;
// Of many users, ids have as many digits as numbers without their country's code: only the service knows which it is.
const mayBeId = (text) => /^[1-9]\d{0,17}$/.test(text);

export async function person({ content, title, query, me, again }) {
  const text = query.get("q")?.trim() ?? "";
  const [id, number] = [query.get("id"), query.get("number")];
  const isHere = () => content.isConnected;
  const say = (...children) => isHere() && content.replaceChildren(...children);
  if (!text && !id && !number) return say(element("p", { className: "soft", textContent: "Type a number in any spelling, a name, or a user's id." }));
  say(element("p", { className: "soft", textContent: "Looking" }));
  if (id || number) return one({ say, title, me, again, selector: id ? `user:${id}` : number });
  if (mayBeId(text)) return numberOrId({ say, title, me, again, text });
  if (looksLikeNumber(text)) return one({ say, title, me, again, selector: text });
  return many({ say, title, me, text, cursor: query.get("cursor") });
}

// Of several with such a name, one is chosen; the only one is shown at once.
async function many({ say, title, me, text, cursor }) {
  const answer = await get("/admin/users", { name: text, limit: 20, cursor });
  if (!answer.ok) return say(failure(problem(answer)));
  if (answer.data.length === 1 && !cursor && !answer.next_cursor) {
    location.replace(`#/person?id=${answer.data[0].id}`);
    return undefined;
  }
  title.textContent = `People called “${text}”`;
  const rows = answer.data.map((user) => [link(user.name, `#/person?id=${user.id}`), revealing(user, me), `${user.id}`, time(user.created_at),
    user.last_sign_in_at ? time(user.last_sign_in_at) : ""]);
  return say(element("section", { className: "panel" },
    rows.length ? table("People", ["Name", "Number", "#Id", "Since", "Last sign-in"], rows)
      : element("p", { className: "soft", textContent: answer.next_cursor ? "Nobody yet: so short a part of a name is looked for in a hundred thousand names at once."
        : "Nobody has such a name. A number finds whoever has no account too." }),
    answer.next_cursor ? link("Next page", `#/person?${new URLSearchParams({ q: text, cursor: answer.next_cursor })}`) : ""));
}

const pathOf = (selector) => `/admin/numbers/${encodeURIComponent(selector)}`;

// Whichever there is. Where it is both, the person who asks chooses.
async function numberOrId({ say, title, me, again, text }) {
  const asked = looksLikeNumber(text) ? get(pathOf(text)) : { ok: false, code: "invalid_phone_number" };
  const [users, number] = await Promise.all([get("/admin/users", { id: text }), asked]);
  if (!users.ok) return say(failure(problem(users)));
  const [user] = users.data;
  if (user && number.ok) {
    title.textContent = "Whom do you mean?";
    const choices = [link(`${user.name}, the user with the id ${text}`, `#/person?id=${text}`),
      link(`The number ${number.data.phone_number}`, `#/person?number=${text}`)];
    return say(element("section", { className: "panel" }, element("p", { textContent: `${text} is a user's id, and a phone number too.` }),
      element("ul", {}, choices.map((choice) => element("li", {}, choice)))));
  }
  if (user) return one({ say, title, me, again, selector: `user:${text}` });
  if (number.ok) return one({ say, title, me, again, selector: text, found: number });
  return say(failure(problem(number.code === "invalid_phone_number" ? { code: "number_or_id" } : number)));
}

// `found` is the service's answer about the number, where it was asked before.
async function one({ say, title, me, again, selector, found }) {
  const path = pathOf(selector);
  const [answer, breakers, queue] = await Promise.all([found ?? get(path), get("/admin/breakers"), get("/admin/queue")]);
  if (!answer.ok) return say(failure(problem(answer)));
  const number = answer.data;
  const id = number.user_id;
  const [user, sessions, events] = id
    ? await Promise.all(["", "/sessions", "/events"].map((part) => get(`/admin/users/${id}${part}`))) : [{}, {}, {}];
  title.textContent = user.data ? user.data.name : number.phone_number;
  const all = { number, path, me, again, user: user.data, breakers: breakers.breakers, queue: queue.ok ? queue : undefined };
  const entries = happened(number.history, events.data);
  const story = element("section", { className: "panel" }, element("h2", { textContent: "What happened, newest first" }),
    entries.length ? element("ol", { className: "happened" }, entries.map(({ at, text }) => element("li", {}, time(at), element("span", { textContent: text }))))
      : element("p", { className: "soft", textContent: "Nothing within a day. Refusals of a number that no SMS was sent to are not kept." }));
  return say(element("div", { className: "person" },
    element("div", { className: "column" }, holdsPanel(all), story, number.deliveries.length ? smsPanel(number) : ""),
    element("div", { className: "column" }, factsPanel(all), user.data ? sessionsPanel(all, sessions.data ?? []) : "")));
}

function holdsPanel(all) {
  const found = holds(all);
  const items = found.map(({ text, todo, action, of }) => element("li", {}, element("strong", { textContent: text }), element("span", { textContent: todo }),
    action ? ending(all, action, of) : ""));
  return element("section", { className: "panel" }, element("h2", { textContent: "What holds them up now" }),
    items.length ? element("ul", { className: "holds" }, items)
      : element("p", { className: "fine", textContent: "Nothing: they can ask for a code and sign in." }));
}

function factsPanel(all) {
  const { number, user, me } = all;
  const facts = [["Number", user ? revealing(user, me) : number.phone_number], number.country && ["Country", country(number.country)],
    user ? ["User", `${user.id}, since ${moment(user.created_at)}`] : ["User", "No account has this number"],
    user?.last_sign_in_at && ["Last sign-in", moment(user.last_sign_in_at)], ["SMS asked for", `${number.sends.hour} within an hour, ${number.sends.day} within a day`],
    ["Wrong codes", `${number.wrong_guesses.hour} within an hour, ${number.wrong_guesses.day} within a day`], ["Known addresses", `${number.known_addresses}`]].filter(Boolean);
  return element("section", { className: "panel" }, element("h2", { textContent: "Who" }),
    element("dl", { className: "facts" }, facts.flatMap(([name, value]) => [element("dt", { textContent: name }), element("dd", {}, value)])), always(all));
}

function sessionsPanel({ user, me, again }, sessions) {
  const mayEnd = may(me, "operator");
  const rows = sessions.map((one) => [one.device || "Unknown device", time(one.created_at), time(one.last_used_at),
    ...(mayEnd ? [button("End", () => endSessions(user, one, again), { "aria-label": `End the session on ${one.device || "an unknown device"}` })] : [])]);
  return element("section", { className: "panel" }, element("h2", { textContent: "Where they are signed in" }),
    rows.length ? table("Sessions", ["Device", "Since", "Last used", ...(mayEnd ? ["End"] : [])], rows) : element("p", { className: "soft", textContent: "Nowhere." }),
    rows.length && mayEnd ? element("p", { className: "actions left" }, button("Sign out everywhere", () => endSessions(user, undefined, again))) : "");
}

function smsPanel(number) {
  const rows = [...number.deliveries].reverse().map((one) => [time(one.requested_at), STATUSES[one.status] ?? one.status, one.reason ? reason(one.reason) : "",
    one.provider ?? "", plural(one.tries, "try", "tries"), link("See", `#/deliveries?id=${one.delivery_id}`)]);
  return element("section", { className: "panel" }, element("h2", { textContent: "SMS of their codes" }),
    table("SMS of their codes", ["Asked for", "Status", "Why", "Provider", "#Tries", "More"], rows));
}
