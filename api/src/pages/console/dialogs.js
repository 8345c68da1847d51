// What is dangerous is asked once, with what it will do.

import { $, button, element, failure } from "./dom.js";
import { problem } from "./service.js";

// Shows a question. `fields` are [name, label, properties] of inputs; `work` gets their values and answers like `call`.
// Resolves to its answer, or to nothing where the person thinks better of it.
export function ask({ title, text, action, isDangerous = true, fields = [], work }) {
  const dialog = $("dialog");
  return new Promise((resolve) => {
    let answer;
    const inputs = fields.map(([name, label, properties = {}]) => {
      const { options, ...rest } = properties;
      const input = element(options ? "select" : "input", { id: `dialog-${name}`, name, ...rest },
        (options ?? []).map(([value, shown]) => element("option", { value, textContent: shown })));
      return { input, row: element("p", { className: "row" }, element("label", { htmlFor: input.id, textContent: label }), input) };
    });
    const trouble = element("div");
    const confirm = element("button", { className: isDangerous ? "main danger" : "main", textContent: action });
    const form = element("form", { method: "dialog", noValidate: false },
      element("h2", { id: "dialog-title", textContent: title }), element("p", { textContent: text }), trouble,
      inputs.map(({ row }) => row),
      element("p", { className: "actions" }, button("Cancel", () => dialog.close()), confirm));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      confirm.disabled = true;
      const values = Object.fromEntries(inputs.map(({ input }) => [input.name, input.value.trim()]));
      const done = await work(values);
      confirm.disabled = false;
      if (done.ok) {
        answer = done;
        dialog.close();
      } else {
        trouble.replaceChildren(failure(problem(done)));
      }
    });
    const closed = () => {
      // The event of the question before this one may come when this one is open already.
      if (dialog.open) return;
      dialog.removeEventListener("close", closed);
      resolve(answer);
    };
    dialog.addEventListener("close", closed);
    dialog.replaceChildren(form);
    dialog.showModal();
  });
}

// Shows a text that is there this once.
export function show({ title, text, secret }) {
  const dialog = $("dialog");
  dialog.replaceChildren(element("form", { method: "dialog" },
    element("h2", { id: "dialog-title", textContent: title }), element("p", { textContent: text }),
    element("p", {}, element("code", { className: "secret", tabIndex: 0, textContent: secret })),
    element("p", { className: "actions" }, element("button", { className: "main", textContent: "Done" }))));
  dialog.showModal();
}
