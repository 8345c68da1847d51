// What happened to a number and its account, in words, and what holds its owner up now.

import { country, moment, plural } from "./dom.js";
import { limit, reason, remedy } from "./words.js";

const OF_AN_SMS = ["asked", "attempt_failed", "sent", "delivered", "undelivered", "failed", "dropped"];
const ENDED_BADLY = ["undelivered", "failed", "dropped"];

const because = (name) => (name ? `: ${reason(name)}` : "");

const STEPS = {
  asked: () => "asked for",
  attempt_failed: ({ provider, reason: why }) => `a try by ${provider ?? "a provider"} failed${because(why)}`,
  sent: ({ provider }) => `accepted by ${provider}`,
  delivered: () => "delivered",
  undelivered: ({ reason: why }) => `not delivered${because(why)}`,
  failed: ({ reason: why }) => `given up${because(why)}`,
  dropped: ({ reason: why }) => `not sent${because(why)}`,
};

const GUESSES = {
  wrong: "Wrong code", none: "A code, and none was asked for", expired: "A code that had expired", burned: "A code after five wrong ones",
  closed: "A code, refused: too many wrong ones", blocked: "A code, refused: the number is blocked",
};

const OTHERS = {
  refused: ({ reason: why, ends_at: until }) => `Refused: ${limit(why)}${until ? ` until ${moment(until)}` : ""}`,
  wrong_guess: ({ reason: why }) => GUESSES[why] ?? `Wrong code (${why})`,
  verified: () => "Right code",
  restored: () => "The right code was taken back, as the database did not answer",
};

// One entry for each SMS with all its steps, and one for everything else; newest first.
export function happened(history, events = []) {
  const entries = [];
  const bySms = new Map();
  for (const one of history) {
    if (OF_AN_SMS.includes(one.what) && one.delivery_id) {
      const sms = bySms.get(one.delivery_id) ?? { at: one.happened_at, steps: [], id: one.delivery_id };
      if (!bySms.has(one.delivery_id)) entries.push(sms);
      bySms.set(one.delivery_id, sms);
      sms.steps.push(one);
    } else {
      entries.push({ at: one.happened_at, text: OTHERS[one.what]?.(one) ?? one.what.replaceAll("_", " "), isRight: one.what === "verified" });
    }
  }
  for (const sms of bySms.values()) sms.text = smsWords(sms.steps);
  const told = entries.map((entry, order) => ({ ...entry, order }));
  // Of the same second: a sign-in follows the code that brought it.
  for (const event of events) {
    const code = told.find(({ at, isRight }) => isRight && at === event.created_at);
    told.push({ at: event.created_at, text: eventWords(event), order: code ? code.order + 0.5 : -1 });
  }
  return told.sort((one, other) => Date.parse(other.at) - Date.parse(one.at) || other.order - one.order);
}

function smsWords(steps) {
  const told = steps.map((step) => `${STEPS[step.what](step)} ${moment(step.happened_at)}`);
  return `SMS ${told.join(", ")}`;
}

function eventWords({ kind, details: { device } = {} }) {
  const words = kind[0].toUpperCase() + kind.slice(1).replaceAll("_", " ");
  return `Account: ${words}${device ? ` (${device})` : ""}`;
}

// What holds them up: { text, todo, action }. `action` names the button that ends it.
export function holds({ number, breakers = [], queue, now = Date.now() }) {
  const all = [];
  const hold = (text, todo, action, of) => all.push({ text, todo, action, of });
  if (number.blocked) {
    const until = number.blocked.ends_at ? `until ${moment(number.blocked.ends_at)}` : "until somebody unblocks it";
    hold(`An operator has blocked this number ${until}.`, "It can neither ask for a code nor use one.", "unblock");
  }
  if (number.is_served === false) {
    hold(`SMS are not sent to this number: ${number.country ? `${country(number.country)} is not served, or` : "its country is not served, or"} it takes none.`,
      "Nobody is asked for a code there. To serve the country, add it to ALLOWED_COUNTRIES and start the API anew.");
  }
  if (number.cooldown_seconds > 0) {
    hold(`Cooldown: the next SMS may be asked for in ${plural(number.cooldown_seconds, "second")}.`, "It doubles with each SMS until they sign in.", "unlock");
  }
  for (const code of number.codes.filter(({ state }) => state === "burned")) {
    hold("Too many wrong codes: the code is burned.", `It stays so until ${moment(code.expires_at)}.`, "unlock");
  }
  const refused = [...number.history].reverse().find(({ what, ends_at: until }) => what === "refused" && until && Date.parse(until) > now);
  if (refused && !["cooldown", "burned"].includes(refused.reason)) refusal(refused, hold);
  for (const bucket of number.buckets.filter(({ level, capacity }) => capacity > 0 && level + 1 > capacity)) {
    hold(`The limit for ${bucket.bucket} is full: ${bucket.level.toFixed(1)} of ${bucket.capacity} SMS within an hour.`,
      "It counts SMS that brought no sign-in. Look whether somebody asks in bad faith before you empty it.", "empty", bucket.bucket);
  }
  for (const breaker of breakers.filter(({ state }) => state === "open")) {
    hold(`${breaker.provider} is not called until ${moment(breaker.retry_at)}: ${plural(breaker.failures, "call")} failed.`,
      breaker.misconfigured ? "Its settings or our account there are wrong: mend them, then reset the breaker." : "See its status page. Once it works, reset the breaker.", "reset", breaker.provider);
  }
  if (queue?.workers === 0) hold("No worker runs, so no SMS is sent.", "Start one.");
  const last = lastSms(number.history);
  if (last) {
    const why = last.reason && remedy(last.reason) ? remedy(last.reason) : "Let the person ask again.";
    hold(`The last SMS did not arrive${because(last.reason)}.`, why);
  }
  return all;
}

// How the newest SMS ended, where that was badly and nobody signed in since.
function lastSms(history) {
  for (const one of [...history].reverse()) {
    if (one.what === "verified" || one.what === "delivered" || one.what === "sent") return undefined;
    if (ENDED_BADLY.includes(one.what) || one.what === "attempt_failed") return ["replaced", "verified"].includes(one.reason) ? undefined : one;
  }
  return undefined;
}

function refusal({ reason: why, ends_at: until }, hold) {
  const text = `Refused until ${moment(until)}: ${limit(why)}.`;
  if (["number_hour", "number_day", "wrong_guesses"].includes(why)) {
    hold(text, "Unlocking forgets what was counted of this number.", "unlock");
  } else if (["address", "network"].includes(why)) {
    hold(text, "It goes by where they asked from. Let them ask from another network, or empty that bucket by its address.");
  }
}
