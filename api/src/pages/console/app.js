// The console: who is signed in, and which view the address names. A view is `#/name?query`.

import { $, button, element, failure, link } from "./dom.js";
import { call, get, problem, signIn } from "./service.js";
import { overview } from "./overview.js";
import { person } from "./person.js";
import { actions, clients, deadLetters, deliveries, events, keys } from "./tables.js";

const VIEWS = {
  overview: { title: "Overview", show: overview },
  deliveries: { title: "Deliveries", show: deliveries },
  "dead-letters": { title: "Dead letters", show: deadLetters },
  events: { title: "Events", show: events },
  actions: { title: "Actions", show: actions },
  clients: { title: "Clients", show: clients },
  keys: { title: "Keys", show: keys, role: "owner" },
  person: { title: "A person", show: person, isHidden: true },
};

let me;
// Ends what the last view began, such as a stream.
let end = () => {};

const state = () => {
  const [, name = "", query = ""] = location.hash.match(/^#\/([^?]*)\??(.*)$/) ?? [];
  return { name: VIEWS[name] ? name : "overview", query: new URLSearchParams(query) };
};

async function show({ isNew = true } = {}) {
  const { name, query } = state();
  const view = VIEWS[name];
  end();
  end = () => {};
  document.title = `${view.title} · Console`;
  for (const item of $("views").querySelectorAll("a")) {
    if (item.hash === `#/${name}`) item.setAttribute("aria-current", "page");
    else item.removeAttribute("aria-current");
  }
  const title = element("h1", { id: "title", tabIndex: -1, textContent: view.title });
  const content = element("div", { className: "content", id: "content" });
  $("main").replaceChildren(title, content);
  $("find-text").value = name === "person" ? query.get("q") ?? "" : "";
  if (isNew) title.focus({ preventScroll: true });
  scrollTo(0, 0);
  const ended = await view.show({ content, title, query, me, again: () => show({ isNew: false }) });
  if (ended) end = ended;
}

function showSignIn(text) {
  end();
  end = () => {};
  me = undefined;
  $("top").hidden = true;
  $("toast").hidden = true;
  document.title = "Sign in · Console";
  const trouble = element("div", {}, text ? failure(text) : "");
  const key = element("input", { id: "key", type: "password", autocomplete: "off", spellcheck: false, maxLength: 100, "aria-describedby": "key-help" });
  const submit = element("button", { className: "main", textContent: "Sign in" });
  const form = element("form", { className: "sign-in", noValidate: true },
    element("h1", { textContent: "Sign in to the console" }),
    element("p", { className: "lead", id: "key-help" }, "With an admin key. Whoever runs the service makes one by ",
      element("code", { textContent: "api admin-key add --name NAME" }), "."),
    trouble, element("label", { htmlFor: "key", textContent: "Admin key" }),
    element("div", { className: "field" }, key), submit,
    element("p", { className: "soft", textContent: "This browser stays signed in for 12 hours. The key itself is not kept here." }));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    const answer = await signIn(key.value.trim());
    submit.disabled = false;
    if (answer.ok) return begin();
    trouble.replaceChildren(failure(key.value.trim() ? problem(answer) : "Enter your admin key."));
    key.focus();
  });
  $("main").replaceChildren(form);
  key.focus();
}

async function begin() {
  const answer = await get("/admin/key");
  if (answer.status === 401) return showSignIn();
  if (!answer.ok) {
    $("main").replaceChildren(element("h1", { textContent: "Console" }), failure(problem(answer)), button("Try again", begin));
    return undefined;
  }
  me = answer.data;
  $("who").textContent = me.name;
  $("who").title = `Your key's role: ${me.role}`;
  $("views").replaceChildren(...Object.entries(VIEWS)
    .filter(([, view]) => !view.isHidden && (!view.role || view.role === me.role))
    .map(([name, view]) => link(view.title, `#/${name}`)));
  $("top").hidden = false;
  return show();
}

addEventListener("hashchange", () => me && show());
addEventListener("signed-out", () => me && showSignIn("You are signed out: 12 hours have passed, or your key was removed."));
$("find").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("find-text").value.trim();
  if (!text) return;
  const hash = `#/person?${new URLSearchParams({ q: text })}`;
  if (location.hash === hash) show();
  else location.hash = hash;
});
$("sign-out").addEventListener("click", async () => {
  await call("DELETE", "/admin/session");
  showSignIn();
});

begin();
