// What happens now, and what of it is unusual. The service sends it anew every two seconds.

import { bars, spark } from "./chart.js";
import { clock, country, decimal, element, failure, link, moment, percent, plural, table, time, whole } from "./dom.js";
import { get, problem } from "./service.js";
import { limit } from "./words.js";

const RETRY = 5000;

const RANGES = { hour: ["Last hour", "minute"], day: ["Last day", "hour"] };

const UNUSUAL = {
  store_away: ({ subject }) => [`${subject === "redis" ? "Redis" : "The database"} does not answer.`,
    "Sign-ins fail until it does. See whether it runs, and what the log of the API says."],
  counts_unread: () => ["Redis did not tell in time what happened.", "Nothing is shown of what is not known. It goes on where it ended."],
  no_worker: () => ["No worker runs.", "SMS wait until one does. Start a worker."],
  queue_waits: ({ now }) => [`SMS wait for ${plural(now, "second")}.`, "Start more workers, or see what the provider does."],
  breaker_open: ({ subject }) => [`${subject} is not called at the moment: too many calls failed.`, "It is tried again by itself. Reset its breaker below once it works."],
  provider_fails: ({ subject, now }) => [`${percent(now)} of the calls of ${subject} failed within 10 minutes.`, "See the dead letters for why, and the provider's status page."],
  conversion_falls: ({ subject, now, before }) => [`Conversion in ${country(subject)} fell to ${percent(now)}; it was ${percent(before)} in the day before.`,
    "SMS may not arrive there, or somebody asks for them in bad faith. Compare sent and delivered below."],
  bucket_fills: ({ subject, now }) => [`The limit for ${subject} is ${percent(now)} full.`, "Once it is full, SMS are refused there. If the traffic is good, raise the limit; else block what asks."],
};

const noted = (item) => {
  const [what, todo] = UNUSUAL[item.kind]?.(item) ?? [item.kind.replaceAll("_", " "), ""];
  return element("li", {}, element("strong", { textContent: what }), ` ${todo}`);
};

export async function overview({ content, query, me }) {
  const range = RANGES[query.get("range")] ? query.get("range") : "hour";
  const choices = Object.entries(RANGES).map(([name, [text]]) => {
    const choice = link(text, `#/overview?range=${name}`);
    if (name === range) choice.setAttribute("aria-current", "true");
    return choice;
  });
  const live = element("p", { className: "state", role: "status", textContent: "Connecting" });
  const parts = { unusual: element("section", { className: "unusual", "aria-label": "Unusual" }), stale: element("p", { role: "status", hidden: true }), tiles: element("div", { className: "tiles" }),
    chart: element("section", { className: "panel" }), tables: element("div", { className: "columns" }) };
  content.append(element("div", { className: "bar" }, element("nav", { className: "choices", "aria-label": "Range" }, choices), live), ...Object.values(parts));

  let stream;
  let retry;
  const isHere = () => content.isConnected;
  const draw = (data) => isHere() && fill(parts, data, range, me);
  const first = await get("/admin/overview", { range });
  if (!isHere()) return undefined;
  if (first.ok) draw(first.data);
  else parts.unusual.replaceChildren(failure(problem(first)));

  const connect = () => {
    stream = new EventSource(`/admin/overview/events?range=${range}`);
    stream.addEventListener("open", () => showState("Live"));
    stream.addEventListener("message", ({ data }) => draw(JSON.parse(data)));
    stream.addEventListener("error", async () => {
      showState("Reconnecting");
      // A browser gives up where the answer is a refusal, as of a fourth page of one key. So this one asks now and then.
      if (stream.readyState === EventSource.CLOSED && isHere()) {
        const answer = await get("/admin/overview", { range });
        if (answer.ok) {
          draw(answer.data);
          showState("Every 5 seconds");
        }
        if (answer.status !== 401 && isHere()) retry = setTimeout(connect, RETRY);
      }
    });
  };
  const showState = (text) => {
    if (live.textContent !== text) live.textContent = text;
    live.classList.toggle("live", text === "Live");
  };
  connect();
  return () => {
    clearTimeout(retry);
    stream.close();
  };
}

function fill(parts, data, range, me) {
  const seen = data.unusual.map((item) => `${item.kind} ${item.subject ?? ""}`).join();
  // What stays as it is is not announced again.
  if (parts.unusual.dataset.seen !== seen || !parts.unusual.children.length) {
    parts.unusual.dataset.seen = seen;
    parts.unusual.replaceChildren(data.unusual.length
      ? element("div", { className: "warning", role: "status" }, element("h2", { textContent: "Unusual" }), element("ul", {}, data.unusual.map(noted)))
      : element("p", { className: "fine", role: "status", textContent: "Nothing unusual." }));
  }
  if (data.all) fillCounts(parts, data, range);
  // What was told last stays, with its age.
  const told = parts.told ? `These counts are of ${clock(parts.told)}: Redis has not told what happened since.` : "Redis did not tell what happened.";
  parts.stale.hidden = Boolean(data.all);
  parts.stale.textContent = data.all ? "" : told;
  fillTables(parts, data, me);
}

function fillCounts(parts, { all, points, seen_at: told }, range) {
  parts.told = told;
  const step = RANGES[range][1];
  const row = (name) => points.map(({ counts }) => counts[name]);
  const tile = (name, value, values, help) => element("div", { className: "tile" }, element("h2", { textContent: name }),
    element("p", { className: "value digits", textContent: value }), values ? spark(values) : element("p", { className: "soft", textContent: help }));
  parts.tiles.replaceChildren(
    tile("Asked", whole(all.asked), row("asked")), tile("Sent", whole(all.sent), row("sent")),
    tile("Delivered", whole(all.delivered), row("delivered")), tile("Verified", whole(all.verified), row("verified")),
    tile("Refused by limits", whole(all.refused), row("refused")),
    tile("Conversion", percent(all.conversion), undefined, "verified of asked"),
    tile("SMS per sign-in", decimal(all.sms_per_sign_in), undefined, "sent for each verified"));

  const shown = ["asked", "sent", "delivered", "verified", "refused"];
  const isOpen = parts.chart.querySelector("details")?.open ?? false;
  const hasFocus = parts.chart.contains(document.activeElement);
  // A table that somebody reads does not change under them.
  if (!(isOpen && hasFocus)) {
    const label = `By the ${step}: ${plural(all.asked, "SMS", "SMS")} asked for, ${whole(all.verified)} verified, ${whole(all.refused)} refused.`;
    const details = element("details", { open: isOpen }, element("summary", { textContent: "As a table" }),
      table(`Counts by the ${step}`, [step === "hour" ? "Hour" : "Minute", ...shown.map((name) => `#${name[0].toUpperCase()}${name.slice(1)}`)],
        [...points].reverse().filter(({ counts }) => isOpen || shown.some((name) => counts[name])).map(({ began_at: at, counts }) =>
          [time(at, clock(at).slice(0, 5)), ...shown.map((name) => whole(counts[name]))])));
    parts.chart.replaceChildren(
      element("h2", { textContent: `Asked and verified, by the ${step}` }),
      bars(label, [{ name: "asked", values: row("asked") }, { name: "verified", values: row("verified") }]),
      element("p", { className: "axis digits" }, element("span", { textContent: points[0] ? clock(points[0].began_at).slice(0, 5) : "" }),
        element("span", { className: "legend" }, element("i", { className: "asked" }), "asked ", element("i", { className: "verified" }), "verified"),
        element("span", { textContent: "now" })), details);
    if (hasFocus) details.querySelector("summary").focus();
  }
}

function fillTables(parts, data, me) {
  // Whoever is at a button or a table keeps it.
  if (parts.tables.contains(document.activeElement)) return;
  const counts = ({ asked, sent, delivered, verified, refused, conversion, sms_per_sign_in: sms }) =>
    [whole(asked), whole(sent), whole(delivered), whole(verified), whole(refused), percent(conversion), decimal(sms)];
  const columns = ["#Asked", "#Sent", "#Delivered", "#Verified", "#Refused", "#Conversion", "#SMS per sign-in"];
  parts.tables.replaceChildren(
    panel("By country", data.countries.length
      ? table("By country", ["Country", ...columns], data.countries.map((one) => [country(one.country), ...counts(one.counts)]))
      : nothing(data.all ? "Nobody asked for an SMS." : UNKNOWN)),
    panel("By provider", data.providers.length
      ? table("By provider", ["Provider", "Calls", "#Sent", "#Failed calls", "#Delivered", "#Verified", "#Conversion"], data.providers.map(({ counts: of = {}, ...one }) =>
          [one.provider, breaker(one, me), whole(of.sent), whole(of.failed_calls), whole(of.delivered), whole(of.verified), percent(of.conversion)]))
      : nothing(data.all ? "No provider was called." : UNKNOWN)),
    panel("Refused by limits", data.refusals.length
      ? table("Refused by limits", ["Limit", "#Times"], data.refusals.map((one) => [limit(one.limit), whole(one.times)]))
      : nothing(data.all ? "No limit refused anybody." : UNKNOWN)),
    panel("Queue and stores", table("Queue and stores", ["What", "#Now"], [
      ["SMS that wait", data.queue ? whole(data.queue.waiting) : "–"], ["The oldest has waited", data.queue ? plural(data.queue.oldest_seconds, "second") : "–"],
      ["To be tried again", data.queue ? whole(data.queue.retrying) : "–"], ["With a worker", data.queue ? whole(data.queue.in_flight) : "–"],
      [link("Dead letters", "#/dead-letters"), data.queue ? whole(data.queue.dead_letters) : "–"], ["Workers", data.queue ? whole(data.queue.workers) : "–"],
      ["Redis", data.stores.redis ? "answers" : "away"], ["Database", data.stores.database ? "answers" : "away"],
    ])));
}

const UNKNOWN = "Not known: Redis did not tell.";
const panel = (title, ...children) => element("section", { className: "panel" }, element("h2", { textContent: title }), ...children);
const nothing = (text) => element("p", { className: "soft", textContent: text });

function breaker({ breaker: state, retry_at: until }) {
  if (state === "open") return element("span", { className: "bad", textContent: `stopped until ${moment(until)}` });
  return state === "half_open" ? "one call decides" : "normal";
}
