// Lists with filters, which stand in the address: whoever is sent it sees the same.

import { button, element, failure, link, table, tell, time } from "./dom.js";
import { ask, show as showSecret } from "./dialogs.js";
import { call, get, may, problem, question } from "./service.js";
import { REASONS, STATUSES, reason, remedy } from "./words.js";

// A list. `filters` are [name, label, options or properties of the input]; `row` makes cells of what the service answers.
// `asks` makes the service's query of the filters, and `key` names the rows in its answer. `before` and `after` make what stands there.
function list({ name, path, title, filters = [], asks = (query) => query, key = "data", columns, row, empty, before, after = () => "", isEmpty, unasked }) {
  return async ({ content, query, me, again }) => {
    const given = Object.fromEntries(query);
    const inputs = filters.map(([key, label, kind]) => {
      const id = `filter-${key}`;
      const input = Array.isArray(kind)
        ? element("select", { id, name: key }, kind.map(([value, text]) => element("option", { value, textContent: text })))
        : element("input", { id, name: key, ...kind });
      input.value = given[key] ?? "";
      return element("p", {}, element("label", { htmlFor: id, textContent: label }), input);
    });
    const form = element("form", { className: "filters" }, inputs, element("button", { className: "plain", textContent: "Show" }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const hash = `#/${name}${question(Object.fromEntries(new FormData(form)))}`;
      if (location.hash === hash) again();
      else location.hash = hash;
    });
    const place = element("section", { className: "panel" }, element("p", { className: "soft", textContent: "Loading" }));
    content.append(...(before ? [before({ me, again })].filter(Boolean) : []), ...(filters.length ? [form] : []), place);

    if (isEmpty) {
      place.replaceChildren(element("p", { className: "soft", textContent: unasked }));
      return;
    }
    const { cursor, ...asked } = given;
    const answer = await get(path, key === "data" ? { ...asks(asked), limit: 50, cursor } : {});
    if (!place.isConnected) return;
    if (!answer.ok) {
      place.replaceChildren(failure(problem(answer)));
      return;
    }
    // One that is asked for by its id is no list.
    const rows = [answer[key]].flat().map((one) => row(one, { me, again }));
    const isFirst = !cursor;
    place.replaceChildren(
      rows.length ? table(title, columns, rows) : element("p", { className: "soft", textContent: isFirst ? empty : "No more." }),
      element("p", { className: "actions left" },
        after(given), isFirst ? "" : link("First page", `#/${name}${question(asked)}`),
        answer.next_cursor ? link("Next page", `#/${name}${question({ ...asked, cursor: answer.next_cursor })}`) : ""));
  };
}

const person = (id, text = `User ${id}`) => (id ? link(text, `#/person?id=${id}`) : "");
const words = (kind) => (kind[0].toUpperCase() + kind.slice(1)).replaceAll("_", " ");

export const actions = list({
  name: "actions", path: "/admin/actions", title: "What holders of keys did, newest first",
  filters: [["user_id", "User's id", { inputMode: "numeric" }], ["key_id", "Key's id", { inputMode: "numeric" }]],
  columns: ["When", "Who", "What", "Whom", "About", "Why"],
  row: (one) => [time(one.created_at), `${one.key_name} (key ${one.key_id})`, words(one.kind), person(one.user_id), one.subject, one.reason],
  empty: "Nobody has changed anything.",
});

const ROLES = [["viewer", "Viewer: sees, and changes nothing"], ["operator", "Operator: also helps people"], ["owner", "Owner: may do everything"]];

export const keys = list({
  name: "keys", path: "/admin/keys", title: "Keys, newest first",
  columns: ["Name", "#Id", "Role", "Added", "Works until", "Last used", "Remove"],
  row: (one, { me, again }) => [one.name, `${one.id}`, one.role, time(one.created_at), one.expires_at ? time(one.expires_at) : "removed",
    one.last_used_at ? time(one.last_used_at) : "never",
    one.id === me.id ? "This is yours" : button("Remove", () => removeKey(one, again), { "aria-label": `Remove the key of ${one.name}` })],
  empty: "There is no key.",
  before: ({ again }) => element("p", { className: "actions left" }, button("Add a key", () => addKey(again))),
});

async function addKey(again) {
  const answer = await ask({
    title: "Add a key", text: "Whoever holds it may use this console and the admin API. It is shown once.", action: "Add the key", isDangerous: false,
    fields: [["name", "Whose it is", { required: true, maxLength: 100 }], ["role", "What they may do", { options: ROLES }],
      ["last_day", "Last day, if it is to end (UTC)", { type: "date" }]],
    work: ({ name, role, last_day: lastDay }) => call("POST", "/admin/keys", { name, role, ...(lastDay ? { last_day: lastDay } : {}) }),
  });
  if (!answer) return;
  await again();
  showSecret({ title: `The key of ${answer.data.name}`, text: "Copy it now: nobody can show it again.", secret: answer.key });
}

async function removeKey({ id, name }, again) {
  const answer = await ask({
    title: `Remove the key of ${name}?`, text: "It stops working at once, and every browser that is signed in with it is signed out. This cannot be undone; a new key can be added.",
    action: "Remove the key", work: () => call("DELETE", `/admin/keys/${id}`),
  });
  if (!answer) return;
  tell(`The key of ${name} is removed.`);
  await again();
}

const STATUS_CHOICES = [["", "Any"], ...Object.entries(STATUSES)];
const ENDED = STATUS_CHOICES.filter(([value]) => ["", "failed", "dropped"].includes(value));
const REASON_CHOICES = [["", "Any"], ...Object.keys(REASONS).map((name) => [name, reason(name)])];
const PROVIDERS = [["", "Any"], ["twilio", "twilio"], ["webhook", "webhook"], ["console", "console"]];

// Times of filters are typed as local ones.
const instant = (text) => (text ? new Date(text).toISOString() : undefined);
const times = ({ since, until, ...rest }) => ({ ...rest, since: instant(since), until: instant(until) });

export const deadLetters = list({
  name: "dead-letters", path: "/admin/dead-letters", title: "SMS that ended without being sent, newest first",
  filters: [["status", "Status", ENDED], ["reason", "Why", REASON_CHOICES], ["provider", "Provider", PROVIDERS],
    ["since", "Since", { type: "datetime-local" }], ["until", "Until", { type: "datetime-local" }]],
  asks: times,
  columns: ["Ended", "Number", "Status", "Why", "What to do", "Provider", "SMS"],
  row: (one) => [time(one.ended_at), one.phone_number, STATUSES[one.status] ?? one.status, reason(one.reason), remedy(one.reason),
    one.provider ? `${one.provider}${one.provider_code ? ` (${one.provider_code})` : ""}` : "", link("See", `#/deliveries?id=${one.delivery_id}`)],
  empty: "Every SMS was sent, as far as is kept: the last 1,000 within 30 days.",
});

// By the id that the client got, where that is given; else by all others.
export function deliveries(view) {
  const id = view.query.get("id");
  return list({
    name: "deliveries", path: id ? `/admin/deliveries/${encodeURIComponent(id)}` : "/admin/deliveries", title: "SMS, those first that were asked for last",
    filters: [["phone_number", "Number, in any spelling", { type: "tel", maxLength: 64 }], ["id", "Or the SMS's id", { maxLength: 26, spellcheck: false }],
      ["status", "Status", STATUS_CHOICES], ["reason", "Why", REASON_CHOICES],
      ["since", "Since", { type: "datetime-local" }], ["until", "Until", { type: "datetime-local" }]],
    asks: (given) => (id ? {} : times(given)),
    columns: ["Asked for", "Number", "Status", "Why", "What to do", "Provider", "#Tries", "Id"],
    row: (one) => [time(one.requested_at), one.phone_number, STATUSES[one.status] ?? one.status, one.reason ? reason(one.reason) : "",
      one.reason ? remedy(one.reason) : "", one.provider, `${one.tries}`, element("code", { textContent: one.delivery_id })],
    empty: "No such SMS is kept. They are until a day after their end, and of each status the last 10,000.",
    after: ({ phone_number: number }) => (number ? link("What happened to this number", `#/person?${new URLSearchParams({ q: number })}`) : ""),
  })(view);
}

export const clients = list({
  name: "clients", path: "/admin/clients", title: "Registered clients", key: "clients",
  columns: ["Name", "Id", "May ask about tokens", "Is told numbers", "#Secrets", "Users sign in to it at"],
  row: (one) => [one.name, element("code", { textContent: one.id }), one.introspect ? "yes" : "no", one.phone_number ? "yes" : "no", `${one.secrets}`,
    one.redirect_uris.join(", ") || "–"],
  empty: "No client is registered. They are listed in CLIENTS_FILE.",
});

// What happened to accounts, and what the operator's webhook did not take.
export async function events(view) {
  const { content, query } = view;
  const isOut = query.get("of") === "webhook";
  const choices = [["Of an account", "#/events", !isOut], ["That the webhook did not take", "#/events?of=webhook", isOut]].map(([text, hash, isChosen]) => {
    const choice = link(text, hash);
    if (isChosen) choice.setAttribute("aria-current", "true");
    return choice;
  });
  content.append(element("div", { className: "bar" }, element("nav", { className: "choices", "aria-label": "Which events" }, choices)));
  return isOut ? givenUp(view) : ofAccount(view);
}

function ofAccount(view) {
  const id = view.query.get("user_id");
  return list({
    name: "events", path: `/admin/users/${encodeURIComponent(id ?? "")}/events`, title: "What happened to the account, newest first",
    filters: [["user_id", "User's id", { inputMode: "numeric", required: true }]],
    asks: ({ user_id: _, ...rest }) => rest, isEmpty: !id, unasked: "Events are kept by account. Find the person above, or type the user's id.",
    columns: ["When", "What", "Device", "Address"],
    row: (one) => [time(one.created_at), words(one.kind), one.details.device, one.address],
    empty: "Nothing happened to this account.",
  })(view);
}

const givenUp = list({
  name: "events", path: "/admin/outgoing-events", title: "Events that were given up, newest first", asks: ({ of: _, ...rest }) => rest,
  columns: ["Happened", "What", "#Tries", "Why it failed", "Id", "Again"],
  row: (one, { me, again }) => [time(one.happened_at), one.type, `${one.attempts}`, one.failure, element("code", { textContent: one.id }),
    may(me, "operator") ? button("Post again", () => replay(one, again), { "aria-label": `Post ${one.id} again` }) : ""],
  empty: "The webhook took every event.",
  before: ({ me, again }) => may(me, "operator") && element("p", { className: "actions left" }, button("Post all again", () => replay(undefined, again))),
});

async function replay(one, again) {
  const answer = await ask({
    title: one ? "Post this event again?" : "Post all events again?", action: "Post again", isDangerous: false,
    text: "Your webhook gets them as if they had just happened, under the ids that they had. Mend it first.",
    work: () => call("POST", "/admin/outgoing-events/replay", one ? { sequence: one.sequence } : {}),
  });
  if (!answer) return;
  await again();
  tell(`Posted again: ${answer.replayed}.`);
}
