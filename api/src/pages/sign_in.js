{
const all = (selector) => document.querySelectorAll(selector);
const on = (target, type, work) => target.addEventListener(type, work);
const countries = settings.countries.map(([code, calling, trunk, example]) => ({ code, calling, trunk, example }));

const CONFUSED = "The service did not understand this page. Reload it.";

// Every `code` that this page may hear, in plain words. A test holds that none is missing.
const ERRORS = {
  phone_number_required: "Enter your phone number.",
  invalid_phone_number: "This phone number cannot exist. Check its digits and its country.",
  destination_not_allowed: "We cannot text this number. Use a mobile number of a country in the list.",
  number_blocked: "This number is blocked.",
  name_required: "Enter your name.",
  invalid_name: "This name is too long, or has characters that cannot be shown.",
  invalid_otp: "This code is wrong or has expired.",
  otp_burned: "Too many wrong codes, so this one no longer works.",
  wrong_guess_limit: "Too many wrong codes.",
  challenge_required: "A code was just sent.",
  resend_cooldown: "A code was just sent. Give it a moment.",
  number_hour_limit: "Too many codes for this number within an hour.",
  number_day_limit: "Too many codes for this number within a day.",
  address_limit: "Too many codes from your network.",
  network_limit: "Too many codes near you.",
  range_limit: "Too many codes for numbers like yours.",
  country_limit: "Too many codes for this country.",
  service_limit: "We are sending too many codes at the moment.",
  unauthorized: "You are not signed in any more. Sign in again.",
  invalid_authorization_header: "Your session has ended. Sign in again.",
  not_found: "This is not there any more.",
  invalid_payload: CONFUSED,
  invalid_parameter: CONFUSED,
  payload_too_large: "This is too long.",
  unsupported_media_type: CONFUSED,
  invalid_idempotency_key: CONFUSED,
  idempotency_key_in_use: "Your last try is still on its way. Wait a moment and try again.",
  idempotency_key_reused: CONFUSED,
  request_timeout: "Your connection was too slow. Try again.",
  internal_error: "Something went wrong on our side. Try again.",
  unavailable: "The service has a problem right now. Try again in a moment.",
  overloaded: "The service is very busy. Try again in a moment.",
  network: "The service cannot be reached. Check your connection and try again.",
};

// Where a message is: steps done, and in words.
const STATUSES = {
  queued: [1, "Your message is waiting to be sent."],
  sending: [1, "Your message is being sent."],
  sent: [2, "Your message was sent. It should arrive within seconds."],
  delivered: [3, "Your message was delivered to your phone."],
  undelivered: [3, "Your message did not reach your phone."],
  failed: [2, "Your message could not be sent."],
  dropped: [1, "Your message was not sent."],
};

// Why it ended before it reached the phone, and what to do.
const REASONS = {
  invalid_number: "There is no such number. Change it.",
  country_not_enabled: "We cannot text this country. Use another number.",
  opted_out: "This number opted out of our messages. Use another number.",
  not_a_mobile_number: "This number takes no text messages. Use a mobile number.",
  rejected: "The network refused it. Use another number.",
  misconfigured: "Something is wrong on our side. Try again later.",
  throttled: "Too many messages were on their way. Send it again.",
  provider_unavailable: "The network could not be reached. Send it again.",
  no_answer: "It may still arrive. If it does not, send it again.",
  code_unreadable: "Something changed on our side. Send it again.",
  expired: "The code expired before it could be sent. Send it again.",
  replaced: "A newer message is on its way.",
  verified: "You have signed in with this code already.",
  burned: "Too many wrong codes were tried. Send a new one when you can.",
  unreachable: "Your phone is off or has no signal. Send it again.",
  blocked: "Your phone or its network blocks us. Use another number.",
  unknown_number: "This number is not in use. Change it.",
  carrier_filtered: "A spam filter stopped it. Use another number.",
  not_delivered: "The network does not say why. Send it again.",
};

// The API

// The token is in sessionStorage: it outlives a reload, but not the tab, and no other tab or later visitor finds it.
const token = {
  get: () => sessionStorage.getItem("token"),
  set: (text) => sessionStorage.setItem("token", text),
  drop: () => sessionStorage.removeItem("token"),
};

// Answers { ok, code, wait } and the body's fields. `wait` is Retry-After in seconds.
async function call(method, path, { body, signedIn, key } = {}) {
  const headers = {};
  if (body) headers["Content-Type"] = "application/json";
  if (signedIn) headers.Authorization = `Bearer ${token.get()}`;
  if (key) headers["Idempotency-Key"] = key;
  try {
    const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
    const fields = await answer.json().catch(() => ({}));
    return { ...fields, ok: answer.ok, wait: Number(answer.headers.get("Retry-After")) };
  } catch {
    return { ok: false, code: "network" };
  }
}

// A try whose answer was lost is repeated with the key that it had, so that nothing happens twice.
let lost;
async function signUp(body) {
  const text = JSON.stringify(body);
  const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16)).join("");
  const key = lost?.text === text ? lost.key : random();
  const answer = await call("POST", "/signup", { body, key });
  lost = answer.code === "network" ? { text, key } : undefined;
  return answer;
}
// solve.js stands here where there are challenges.

function inWords({ code, wait }) {
  const text = ERRORS[code] ?? ERRORS.internal_error;
  return wait > 1 ? `${text} Try again in ${duration(wait)}.` : text;
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
const duration = (seconds) =>
  seconds < 90 ? `${seconds} seconds` : seconds < 5400 ? `${Math.ceil(seconds / 60)} minutes` : `${Math.ceil(seconds / 3600)} hours`;

// Where a gateway sent the browser from. Only origins that the settings name are led back to, as this browser reads the URL.
function readReturnTo() {
  try {
    const { href } = new URL(new URLSearchParams(location.search).get("return_to"));
    return settings.returnTo.some((origin) => href.startsWith(`${origin}/`)) ? href : undefined;
  } catch {
    return undefined;
  }
}
const returnTo = readReturnTo();

// What an app asked for that sent the browser here, and where whoever has signed in is led.
const request = encodeURIComponent(new URLSearchParams(location.search).get("request") ?? "");
let onward = returnTo;

// What is shown

function show(id) {
  const sections = [...all("section")];
  const moves = sections.some((section) => !section.hidden);
  for (const section of sections) section.hidden = section.id !== id;
  const title = $(`${id}-title`);
  document.title = document.title.replace(/^.* · /, `${title.textContent} · `);
  if (moves) title.focus();
}

// Shows an error, and the field that it is about.
function fail(where, text, field) {
  for (const marked of all("[aria-invalid]")) marked.ariaInvalid = null;
  $(`${where}-error`).textContent = text;
  if (text && field) {
    field.ariaInvalid = "true";
    field.focus();
  }
}

function onSubmit(id, work) {
  const form = all(`#${id} form`)[0];
  const button = all(`#${id} .main`)[0];
  on(form, "submit", async (event) => {
    event.preventDefault();
    if (button.ariaBusy) return;
    button.ariaBusy = "true";
    await work().finally(() => (button.ariaBusy = null));
  });
}

// The number

const select = $("country");
const number = $("number");
const names = new Intl.DisplayNames(["en"], { type: "region" });
const nameOf = ({ code }) => names.of(code);
const byName = [...countries].sort((one, other) => nameOf(one).localeCompare(nameOf(other)));
select.append(...byName.map((one) => new Option(`${nameOf(one)} +${one.calling}`, one.code)));
select.value = settings.country;
select.hidden = countries.length < 2;
const country = () => countries.find((one) => one.code === select.value);
const ABROAD = /^[^\d+]*(\+|00)/;

// What is in the field: how its calling code was dialled, where it was, its country, if it is served, and its other digits.
function inField() {
  const text = plain(number.value);
  const abroad = ABROAD.exec(text)?.[1];
  const digits = digitsOf(text).slice(abroad === "00" ? 2 : 0);
  const fits = (one) => digits.startsWith(one.calling);
  const one = abroad ? [country(), ...countries].find(fits) : country();
  return { text, abroad, one, digits: abroad && one ? digits.slice(one.calling.length) : digits };
}

// Some write the calling code without a plus: what is too long without it has one.
const national = (digits, { calling, example }) =>
  digits.startsWith(calling) && digits.length > digitsOf(example).length ? digits.slice(calling.length) : digits;

// What people dial first at home: often a 0.
const trunkOf = (digits, { trunk, example }) =>
  trunk && digits.startsWith(trunk) && !example.startsWith(trunk) ? trunk : "";

// Grouped as the example is.
function grouped(digits, one) {
  const trunk = trunkOf(digits, one);
  const rest = [...digits.slice(trunk.length)];
  let text = trunk;
  for (const char of one.example) {
    if (rest.length === 0) break;
    text += /\d/.test(char) ? rest.shift() : char;
  }
  return text + rest.join("");
}

function showCountry() {
  const one = country();
  $("calling-code").textContent = `+${one.calling}`;
  number.placeholder = one.example;
}

// How many digits were in the field before.
let known = 0;

function groupNumber() {
  const { text, abroad, one, digits } = inField();
  const count = digitsOf(text).length;
  // What is typed stays. More than a digit at once was pasted, or filled in by the browser.
  const whole = count > known + 1;
  let after = digitsOf(number.value.slice(number.selectionStart)).length;
  known = count;
  if (one) {
    select.value = one.code;
    showCountry();
    const code = abroad && !whole ? abroad + one.calling : "";
    const rest = whole && !abroad ? national(digits, one) : digits;
    number.value = [code, grouped(rest, one)].filter(Boolean).join(" ");
    let at = number.value.length;
    for (; after > 0; at -= 1) after -= /\d/.test(number.value[at - 1]);
    number.setSelectionRange(at, at);
  } else if (text !== number.value) number.value = text;
  $("calling-code").style.visibility = ABROAD.test(number.value) ? "hidden" : "";
}

// E.164, or as typed where its country code is not served.
function wholeNumber() {
  const { text, abroad, one, digits } = inField();
  if (!digits || !one) return text.trim();
  const rest = abroad ? digits : national(digits, one);
  return `+${one.calling}${rest.slice(trunkOf(rest, one).length)}`;
}

function readable(e164) {
  const one = countries.find(({ calling }) => e164.startsWith(`+${calling}`));
  return one ? `+${one.calling} ${grouped(e164.slice(one.calling.length + 1), one)}` : e164;
}

on(number, "input", groupNumber);
on(select, "change", () => {
  const { one, digits } = inField();
  if (one) number.value = digits;
  showCountry();
  groupNumber();
  number.focus();
});

const FIELDS = { invalid_phone_number: number, destination_not_allowed: number, invalid_name: $("name") };
onSubmit("ask", async () => {
  const [to, name] = [wholeNumber(), $("name").value.trim()];
  if (!to) return fail("ask", ERRORS.phone_number_required, number);
  if (!name) return fail("ask", ERRORS.name_required, $("name"));
  let one = asks.find((one) => one.to === to && lives(one));
  if (!one) {
    const answer = await signUp({ phone_number: to, name });
    if (!answer.ok) return fail("ask", inWords(answer), FIELDS[answer.code]);
    one = { to, wrong: 0, ...smsOf(answer) };
  }
  fail("ask", "");
  awaitCode({ ...one, name });
});

// The code

const otp = $("otp");
// { to, name, wrong, expiresAt, resendAt, delivery, isOpen }, from an SMS on; instants in ms.
let asked;
// Waits for the SMS in the browser (WebOTP).
let phone;

// Those whose codes live, the newest first, never with a code. A reload leads back to them, and so does their number.
let asks = JSON.parse(sessionStorage.getItem("asks")) ?? [];
const lives = ({ isOpen, expiresAt }) => isOpen && expiresAt > Date.now();
function keep() {
  asks = [asked, ...asks.filter(({ to }) => to !== asked.to)].filter(lives);
  sessionStorage.setItem("asks", JSON.stringify(asks));
}

$("otp-label").textContent = `${settings.otpLength} digits from the message`;
$("boxes").append(...Array.from({ length: settings.otpLength }, () => element("span", { ariaHidden: "true" })));

// One field for all boxes, so that paste, autofill and screen readers have one code and not six fields.
function showDigits() {
  const boxes = all("#boxes span");
  boxes.forEach((box, at) => {
    box.textContent = otp.value[at] ?? "";
    box.classList.toggle("next", at === Math.min(otp.value.length, boxes.length - 1));
  });
}

function fill(text) {
  const digits = digitsOf(text);
  const code = digits.length > settings.otpLength || /\p{L}/u.test(text) ? otpIn(text) : digits;
  otp.value = code ?? $("boxes").textContent;
  showDigits();
  if (code?.length === settings.otpLength) all("#verify form")[0].requestSubmit();
}

on(otp, "input", () => fill(otp.value));
on(otp, "focus", () => otp.setSelectionRange(otp.value.length, otp.value.length));
on(otp, "paste", (event) => {
  event.preventDefault();
  fill(event.clipboardData.getData("text"));
});

const smsOf = ({ delivery_id: delivery, expires_in: expiresIn, resend_in: resendIn }) =>
  ({ delivery, isOpen: true, expiresAt: Date.now() + expiresIn * 1000, resendAt: Date.now() + resendIn * 1000 });

function awaitCode(one) {
  asked = one;
  keep();
  // What a change of the number begins with.
  [number.value, $("name").value, known] = [one.to, one.name, 0];
  groupNumber();
  $("to").textContent = readable(asked.to);
  show("verify");
  fail("verify", "");
  $("verify").classList.remove("ended", "hopeless");
  open(true);
  tick();
  watch(asked);
  listenToPhone();
}

function open(is) {
  $("verify").classList.toggle("closed", !is);
  otp.disabled = !is;
  otp.value = "";
  showDigits();
  if (is) otp.focus();
}

function tick() {
  if ($("verify").hidden) return;
  const left = (until) => Math.max(0, Math.ceil((until - Date.now()) / 1000));
  const [life, wait] = [left(asked.expiresAt), left(asked.resendAt)];
  if (life === 0 && asked.isOpen) {
    close("This code has expired. Send a new one.");
  }
  const again = asked.isOpen ? "Send again" : "Send a new code";
  $("resend").disabled = wait > 0;
  $("resend").textContent = wait > 0 ? `${again} in ${clock(wait)}` : again;
  $("expiry").textContent = asked.isOpen ? `Good for ${clock(life)}` : "";
}
setInterval(() => asked && tick(), 250);

function close(text) {
  Object.assign(asked, { isOpen: false, wrong: 0 });
  keep();
  phone?.abort();
  open(false);
  fail("verify", text);
  $("resend").disabled || $("resend").focus();
}

async function watch(one) {
  const current = () => asked === one && !$("verify").hidden;
  let last;
  while (current()) {
    const answer = await call("GET", `/deliveries/${one.delivery}`);
    if (!current()) return;
    const { status, reason, asking_again_helps: again } = answer;
    if (answer.ok && status !== last) {
      last = status;
      const [steps, text] = STATUSES[status] ?? STATUSES.queued;
      $("delivery-text").textContent = reason ? `${text} ${REASONS[reason] ?? ""}` : text;
      $("verify").classList.toggle("ended", Boolean(reason));
      $("verify").classList.toggle("hopeless", again === false);
      all(".track i").forEach((step, at) => step.classList.toggle("done", at < steps));
      // Where sending again helps, the service says whether it is too soon.
      if (again) asked.resendAt = Date.now();
    }
    if (reason || status === "delivered") return;
    const pause = status === "sent" ? 2000 : 500;
    await new Promise((done) => setTimeout(done, document.hidden ? 5000 : pause));
  }
}

function listenToPhone() {
  phone?.abort();
  if (!("OTPCredential" in window)) return;
  phone = new AbortController();
  navigator.credentials.get({ otp: { transport: ["sms"] }, signal: phone.signal }).then(({ code }) => fill(code), () => {});
}

onSubmit("verify", async () => {
  if (!asked.isOpen) return;
  if (otp.value.length < settings.otpLength) {
    return fail("verify", `Enter all ${settings.otpLength} digits of the code.`, otp);
  }
  const answer = await signUp({ phone_number: asked.to, name: asked.name, otp: otp.value });
  if (answer.ok) {
    phone?.abort();
    fail("verify", "");
    asked = undefined;
    asks = [];
    sessionStorage.removeItem("asks");
    token.set(answer.token);
    const kept = await keepSession();
    if (kept.ok && onward) return location.replace(onward);
    const { picture } = await call("GET", "/me", { signedIn: true });
    await showHome(answer.data, picture);
    return kept.ok || fail("home", inWords(kept));
  }
  if (answer.code !== "invalid_otp") return fail("verify", inWords(answer), otp);
  asked.wrong += 1;
  // The service burns a code after five wrong guesses, and does not say so.
  if (asked.wrong >= 5) return close("Five wrong codes, so this one no longer works. Ask for a new one.");
  keep();
  open(true);
  fail("verify", ERRORS.invalid_otp, otp);
});

on($("resend"), "click", async () => {
  $("resend").disabled = true;
  const answer = await signUp({ phone_number: asked.to, name: asked.name });
  if (!asked) return;
  if (!answer.ok) {
    if (answer.wait) asked.resendAt = Date.now() + answer.wait * 1000;
    tick();
    return fail("verify", inWords(answer));
  }
  $("news").textContent = "Sent again.";
  awaitCode({ ...asked, ...smsOf(answer) });
});

for (const button of all(".change")) {
  on(button, "click", () => {
    phone?.abort();
    asked = undefined;
    show("ask");
    number.focus();
  });
}

// Signed in

const moment = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short" });
const BROWSERS = [["Edge", /Edg/], ["Firefox", /Firefox|FxiOS/], ["Chrome", /Chrom|CriOS/], ["Safari", /Safari/]];
const SYSTEMS = [["Android", /Android/], ["iOS", /iPhone|iPad/], ["Windows", /Windows/], ["Mac", /Mac OS X/], ["Linux", /Linux/]];
function deviceName(text) {
  const find = (list) => list.find(([, pattern]) => pattern.test(text))?.[0];
  return [find(BROWSERS), find(SYSTEMS)].filter(Boolean).join(" on ") || text || "Unknown device";
}

// Gives the browser the session that this page has, in a cookie, for apps behind a gateway.
const keepSession = () => call("POST", "/session", { signedIn: true });

async function showHome(user, picture) {
  // By its path: the page lets pictures come from its own origin alone.
  $("picture").hidden = !picture;
  if (picture) $("picture").src = new URL(picture, location).pathname;
  $("home-title").textContent = `Hello, ${user.name}`;
  $("own-number").textContent = readable(user.phone_number);
  fail("home", "");
  $("sessions").replaceChildren();
  $("back").hidden = !returnTo;
  if (returnTo) Object.assign($("back"), { href: returnTo, textContent: `Continue to ${new URL(returnTo).host}` });
  // Without a token, in another tab, the browser is signed in by its cookie alone.
  $("sessions-title").hidden = !token.get();
  show("home");
  if (token.get()) await loadSessions();
}

async function loadSessions() {
  const answer = await call("GET", "/tokens?limit=100", { signedIn: true });
  if (!answer.ok) return leaveOr(answer);
  $("sessions").replaceChildren(...answer.data.map(sessionItem));
  $("end-others").hidden = answer.data.length < 2;
}

function sessionItem(session) {
  const item = element("li");
  const text = element("div");
  const name = deviceName(session.device);
  text.append(element("b", { textContent: name, title: session.device ?? "" }));
  if (session.current) text.append(element("span", { textContent: "This device", className: "here" }));
  text.append(element("p", { textContent: `Last used ${moment.format(new Date(session.last_used_at))}` }));
  item.append(text);
  if (!session.current) {
    const button = element("button", { textContent: "End", className: "plain", ariaLabel: `End the session on ${name}` });
    on(button, "click", () => endSessions(`/tokens/${session.id}`, "The session was ended."));
    item.append(button);
  }
  return item;
}

async function endSessions(path, text) {
  const answer = await call("DELETE", path, { signedIn: true });
  if (!answer.ok && answer.code !== "not_found") return leaveOr(answer);
  await loadSessions();
  $("news").textContent = text;
  $("home-title").focus();
}

// A token that is good for nothing leads back to the beginning.
const isOver = ({ code }) => code === "invalid_authorization_header" || code === "unauthorized";
function leaveOr(answer) {
  if (!isOver(answer)) return fail("home", inWords(answer));
  token.drop();
  show("ask");
  fail("ask", inWords(answer));
}

on($("end-others"), "click", () => endSessions("/tokens?keep=current", "All other sessions were ended."));
on($("sign-out"), "click", async () => {
  const answer = await call("DELETE", "/session", { signedIn: Boolean(token.get()) });
  if (!answer.ok) return leaveOr(answer);
  token.drop();
  show("ask");
  $("news").textContent = "You are signed out.";
});

// upload.js stands here where there are files.

// The development inbox, in another tab, offers its codes

if (settings.inbox) {
  $("inbox").href = settings.inbox;
  $("inbox").hidden = false;
  const inbox = new BroadcastChannel("inbox");
  on(inbox, "message", ({ data: { to, code, id } }) => {
    if (!asked?.isOpen || to !== asked.to) return;
    inbox.postMessage({ filled: id });
    fill(code);
  });
}

async function begin() {
  const answer = token.get() ? await call("GET", "/me", { signedIn: true }) : {};
  if (answer.ok) await keepSession();
  const asksService = request || !(answer.ok || answer.code);
  const { data: user, asking, picture } = asksService ? await call("GET", `/session${request && `?request=${request}`}`) : {};
  if (asking) {
    onward = `/oauth/continue?request=${request}`;
    if (asking.is_enough) return location.replace(onward);
    $("ask-title").textContent = `Sign in to ${asking.name}`;
    number.value = asking.number ?? "";
    groupNumber();
  } else if (answer.ok) return showHome(answer.data, answer.picture);
  const one = asks.find(lives);
  // Whoever comes by a link or an address begins anew.
  if (one && performance.getEntriesByType("navigation")[0]?.type !== "navigate") return awaitCode(one);
  if (isOver(answer)) token.drop();
  if (user && !asking) return showHome(user, picture);
  show("ask");
  if (request && !asking) fail("ask", "This sign-in has expired. Go back to the app and start again.");
  if (answer.code) fail("ask", inWords(answer));
}
showCountry();
showDigits();
begin();
}
