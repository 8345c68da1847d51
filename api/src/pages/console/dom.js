// Elements, and texts for numbers and times.

export const $ = (id) => document.getElementById(id);

// Children that are nothing are left out; texts are texts.
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made && !name.startsWith("aria-")) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return made;
}

export function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export const link = (text, href) => element("a", { href, textContent: text });

export function button(text, work, properties = {}) {
  const made = element("button", { type: "button", className: "plain", textContent: text, ...properties });
  made.addEventListener("click", work);
  return made;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

export const clock = (text) => CLOCK.format(new Date(text));

// The time of day, and the day where it is not today.
export function moment(text) {
  const date = new Date(text);
  const isToday = DAY.format(date) === DAY.format(new Date());
  return isToday ? CLOCK.format(date) : `${DAY.format(date)}, ${CLOCK.format(date)}`;
}

export const time = (text, shown = moment(text)) =>
  element("time", { dateTime: text, title: new Date(text).toISOString(), textContent: shown, className: "digits" });

export const whole = (number) => (number === undefined || number === null ? "–" : new Intl.NumberFormat("en").format(number));
export const percent = (part) => (part === undefined || part === null ? "–" : `${Math.round(part * 100)} %`);
export const decimal = (number) => (number === undefined || number === null ? "–" : number.toFixed(2));
export const plural = (number, one, many = `${one}s`) => `${whole(number)} ${number === 1 ? one : many}`;

const COUNTRIES = new Intl.DisplayNames(["en"], { type: "region" });
export const country = (code) => (code ? COUNTRIES.of(code) : "No country");

// What has just happened, for eyes and screen readers.
export function tell(text, undo) {
  $("news").textContent = text;
  const toast = $("toast");
  toast.replaceChildren(element("span", { textContent: text }), undo ? button("Undo", () => { toast.hidden = true; undo(); }) : "");
  toast.hidden = false;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => { toast.hidden = true; }, undo ? 20_000 : 6_000);
}

export const failure = (text) => element("p", { role: "alert", textContent: text });

// A table that a screen reader announces by its name. Rows are lists of texts and elements.
export function table(caption, columns, rows, { isShown = false } = {}) {
  const head = element("tr", {}, columns.map((name) =>
    element("th", { scope: "col", className: name.startsWith("#") ? "number" : "", textContent: name.replace("#", "") })));
  const body = rows.map((cells) => element("tr", {}, cells.map((cell, at) =>
    element(at === 0 ? "th" : "td", {
      ...(at === 0 ? { scope: "row" } : {}),
      className: columns[at].startsWith("#") ? "number" : "",
    }, cell ?? ""))));
  const made = element("table", {}, element("caption", { className: isShown ? "" : "unseen", textContent: caption }),
    element("thead", {}, head), element("tbody", {}, body));
  return element("div", { className: "table", role: "region", tabIndex: 0, "aria-label": caption }, made);
}
