// What can be done for a person, each asked once, and undone where that is possible.

import { button, element, tell } from "./dom.js";
import { ask } from "./dialogs.js";
import { call, may, problem, question } from "./service.js";

const because = ["reason", "Why (a ticket, say)", { maxLength: 500 }];
const given = ({ reason }) => (reason ? { reason } : {});

async function finish(text, again, undo) {
  await again();
  tell(text, undo && (async () => {
    const answer = await undo();
    await again();
    tell(answer.ok ? "Undone." : problem(answer));
  }));
}

// The button that ends a hold, where the role may.
export function ending({ number, path, me, again }, action, of) {
  if (!may(me, "operator")) return element("p", { className: "soft", textContent: "An operator may end this." });
  const who = number.phone_number;
  const ways = {
    unblock: ["Unblock", async () => {
      const left = number.blocked.ends_at && Math.max(1, Math.round((Date.parse(number.blocked.ends_at) - Date.now()) / 60_000));
      const done = await ask({ title: `Unblock ${who}?`, text: "It can ask for codes and sign in again at once.", action: "Unblock", isDangerous: false,
        fields: [because], work: (values) => call("POST", `${path}/unblock`, given(values)) });
      if (done) finish("The number is unblocked.", again, () => call("POST", `${path}/block`, left ? { minutes: left } : {}));
    }],
    unlock: ["Unlock", async () => {
      const done = await ask({ title: `Unlock ${who}?`, text: "Its cooldown, its count of SMS, its wrong codes and burned codes are forgotten. That cannot be undone; they count anew from now on.",
        action: "Unlock", isDangerous: false, fields: [because], work: (values) => call("POST", `${path}/unlock`, given(values)) });
      if (done) finish("The number is unlocked.", again);
    }],
    reset: [`Reset the breaker of ${of}`, async () => {
      const done = await ask({ title: `Reset the breaker of ${of}?`, text: `${of} is called again at once, for everybody. If it still fails, it is stopped again.`,
        action: "Reset", isDangerous: false, fields: [because], work: (values) => call("POST", `/admin/breakers/${of}/reset`, given(values)) });
      if (done) finish(`${of} is called again.`, again);
    }],
    empty: ["Empty it", async () => {
      const [kind, name] = of.split(" ");
      const which = { country: name, range: decodeURIComponent(path.split("/").pop()) }[kind];
      const done = await ask({ title: `Empty the limit for ${of}?`, text: "SMS that brought no sign-in count anew there, for everybody. Whoever asks in bad faith gets as many again.",
        action: "Empty it", fields: [because], work: (values) => call("POST", `/admin/buckets/${kind}/empty${question({ of: which })}`, given(values)) });
      if (done) finish(`The limit for ${of} is emptied.`, again);
    }],
  };
  // A range is named by a number of it, which may be masked here.
  if (action === "empty" && of.startsWith("range") && path.includes("user%3A")) {
    return element("p", { className: "soft", textContent: "Find the person by their number to empty it." });
  }
  const [text, work] = ways[action];
  return element("p", { className: "actions" }, button(text, work));
}

// The buttons that are always there, as far as the role may.
export function always({ number, path, me, again, user }) {
  const buttons = [];
  const offer = (role, text, work) => may(me, role) && buttons.push(button(text, work));
  if (!number.blocked) offer("operator", "Block the number", () => block(number, path, again));
  if (user) {
    offer("operator", "Rename", () => rename(user, again));
    offer("operator", "Move to another number", () => move(user, again));
  }
  offer("owner", "Erase what is known", () => erase(number, path, again));
  if (user) offer("owner", "Delete the account", () => remove(user, again));
  return buttons.length ? element("p", { className: "actions left" }, buttons) : "";
}

const LONG = [["60", "For an hour"], ["1440", "For a day"], ["10080", "For a week"], ["", "Until somebody unblocks it"]];

async function block(number, path, again) {
  const done = await ask({ title: `Block ${number.phone_number}?`, text: "It can neither ask for a code nor sign in until the block ends. Sessions that it has stay.", action: "Block",
    fields: [["minutes", "How long", { options: LONG }], because],
    work: ({ minutes, ...values }) => call("POST", `${path}/block`, { ...given(values), ...(minutes ? { minutes: Number(minutes) } : {}) }) });
  if (done) finish("The number is blocked.", again, () => call("POST", `${path}/unblock`, {}));
}

async function erase(number, path, again) {
  const done = await ask({ title: `Erase what is known of ${number.phone_number}?`, text: "Its codes, SMS, history and known addresses are forgotten; its account and a block stay. This cannot be undone.",
    action: "Erase", fields: [because], work: (values) => call("POST", `${path}/erase`, given(values)) });
  if (done) finish("What was known of the number is erased.", again);
}

async function rename(user, again) {
  const path = `/admin/users/${user.id}`;
  const done = await ask({ title: `Rename ${user.name}?`, text: "The new name is shown wherever their name is.", action: "Rename", isDangerous: false,
    fields: [["name", "New name", { required: true, maxLength: 100, value: user.name }], because],
    work: ({ name, ...values }) => call("PATCH", path, { name, version: user.version, ...given(values) }) });
  if (done) finish(`${user.name} is now ${done.data.name}.`, again, () => call("PATCH", path, { name: user.name, version: done.data.version }));
}

async function move(user, again) {
  const done = await ask({ title: `Move ${user.name} to another number?`, action: "Move",
    text: "For somebody who has lost their number. Nobody has proven that the new one is theirs: be sure of it. All their sessions end, and the old number gets an SMS that says so. To undo it, move them back.",
    fields: [["phone_number", "New number", { required: true, type: "tel", maxLength: 64 }], ["reason", "Why (a ticket, say)", { required: true, maxLength: 500 }]],
    work: (values) => call("POST", `/admin/users/${user.id}/phone-number`, values) });
  if (!done) return;
  if (location.hash === `#/person?id=${user.id}`) await again();
  else location.hash = `#/person?id=${user.id}`;
  tell(`${user.name} has another number.`);
}

async function remove(user, again) {
  const done = await ask({ title: `Delete the account of ${user.name}?`, text: "With its sessions and events. This cannot be undone: whoever signs in with the number next begins anew.",
    action: "Delete", fields: [because], work: (values) => call("DELETE", `/admin/users/${user.id}${question(given(values))}`) });
  if (done) finish("The account is deleted.", again);
}

// Ends one session, or all where none is named.
export async function endSessions(user, session, again) {
  const path = `/admin/users/${user.id}/sessions${session ? `/${session.id}` : ""}`;
  const done = await ask({ title: session ? "End this session?" : `Sign ${user.name} out everywhere?`, action: session ? "End it" : "Sign out",
    text: "Its token stops working at once. This cannot be undone; they can sign in again.",
    fields: [because], work: (values) => call("DELETE", `${path}${question(given(values))}`) });
  if (done) finish(session ? "The session is ended." : `${user.name} is signed out everywhere.`, again);
}

// A masked number, and a button that shows the whole one. That is an action.
export function revealing(user, me) {
  const shown = element("span", { className: "digits", textContent: user.phone_number });
  if (!may(me, "operator")) return shown;
  const reveal = button("Reveal", async () => {
    const answer = await call("POST", `/admin/users/${user.id}/reveal`, {});
    if (!answer.ok) return tell(problem(answer));
    shown.textContent = answer.phone_number;
    reveal.remove();
    shown.tabIndex = -1;
    shown.focus();
    return undefined;
  }, { className: "link", "aria-label": `Reveal the number of ${user.name}` });
  return element("span", {}, shown, " ", reveal);
}
