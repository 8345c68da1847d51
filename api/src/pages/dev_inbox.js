{
const shown = new Map(); // elements, by message id
const signInPages = new BroadcastChannel("inbox");

$("sign-in").hidden = !settings.signInPage;
$("where").textContent = settings.signInPage ? " on the sign-in page" : "";
$("empty").hidden = false;

function show(message) {
  // After a break in the connection all remembered ones come again.
  if (shown.has(message.id)) return;
  const item = element("li");
  const from = element("p", { className: "from" });
  from.append(element("span", { className: "digits", textContent: `To ${message.to}` }));
  const sentAt = new Date(message.sent_at);
  const time = element("time", { dateTime: sentAt.toISOString() });
  time.textContent = sentAt.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  from.append(time);
  item.append(from, element("p", { className: "bubble", textContent: message.body }));
  const code = otpIn(message.body);
  if (code) item.append(useButton(message, code));
  shown.set(message.id, item);
  $("messages").prepend(item);
  $("empty").hidden = true;
}

function useButton({ id, to }, code) {
  const button = element("button", { textContent: "Use" });
  button.append(element("b", { className: "digits", textContent: code }));
  button.addEventListener("click", async () => {
    signInPages.postMessage({ id, to, code });
    const copied = await navigator.clipboard?.writeText(code).then(() => true, () => false);
    if (copied) tell(id, "Copied");
  });
  return button;
}

function tell(id, text) {
  const button = shown.get(id)?.querySelector("button");
  // What was filled in needs no copy any more.
  if (!button || button.dataset.told === "Filled in") return;
  button.dataset.told = text;
  button.firstChild.textContent = text;
  $("news").textContent = `${text}: ${button.lastChild.textContent}`;
}

signInPages.addEventListener("message", ({ data }) => data.filled && tell(data.filled, "Filled in"));

function showState(text) {
  $("state").textContent = text;
  $("state").classList.toggle("live", text === "Live");
}

const events = new EventSource(settings.events);
events.addEventListener("open", () => showState("Live"));
events.addEventListener("error", () => showState("Reconnecting"));
events.addEventListener("message", ({ data }) => show(JSON.parse(data)));
}
