// What the buttons inside an answer do. One listener on the document serves them all.

import { call } from "./calls.js";
import { show } from "./evidence.js";

/** `page` has `notice`, `tell`, `ask` and `again`. */
export function listen(page) {
  document.addEventListener("click", (event) => {
    const chip = event.target.closest(".chip[data-ref]");
    if (chip) return show(chip);
    const button = event.target.closest("button[data-do]");
    if (button) deeds[button.dataset.do]?.(button, page);
  });
  document.addEventListener("submit", (event) => {
    if (event.target.dataset.do !== "feedback") return;
    event.preventDefault();
    judge(event.target, event.submitter, page);
  });
  // Enter in the field of a reason must not choose a verdict.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches?.("form[data-do=feedback] input")) event.preventDefault();
  });
}

const deeds = {
  copy: async (button, page) => {
    try {
      await write(await call("GET", button.dataset.from));
      page.notice("The answer was copied with its sources.");
    } catch (failure) {
      page.notice(failure.code ? failure.message : "This browser does not let the page copy; select the text instead.");
    }
  },
  again: (button, page) => page.again(button.dataset.to),
  suggest: (button, page) => page.ask(button.textContent),
};

async function write(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // A page that is not served over https, but for loopback, has no clipboard.
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("not copied");
}

async function judge(form, button, page) {
  const turn = form.closest(".turn").dataset.turn;
  const said = form.querySelector("output");
  try {
    await call("POST", `${page.address()}/turns/${turn}/feedback`, {
      claim_id: form.dataset.claim,
      verdict: button.value,
      why: form.elements.why.value,
    });
    said.textContent = `Kept: ${button.value}. Thank you.`;
  } catch (failure) {
    said.textContent = failure.message;
  }
}
