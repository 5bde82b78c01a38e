// The list of a visitor's conversations: open one, begin one, delete one or all.

import { call } from "./calls.js";

const PLACE = "/page";

/** `page` has `go(key)`, `notice(text)` and `key()`. */
export function listen(page) {
  const dialog = document.getElementById("history");
  document.getElementById("history-open").addEventListener("click", () => open(dialog, page));
  document.getElementById("history-new").addEventListener("click", () => begin(page));
  document.getElementById("history-all").addEventListener("click", () => removeAll(dialog, page));
  document.getElementById("history-close").addEventListener("click", () => dialog.close());
}

async function open(dialog, page) {
  if (await tried(page, () => fill(page))) dialog.showModal();
}

async function fill(page) {
  const { conversations } = await call("GET", PLACE);
  const list = document.getElementById("history-list");
  list.replaceChildren(...conversations.map((one) => line(one, page)));
}

function line(one, page) {
  const item = document.createElement("li");
  const name = document.createElement("button");
  name.type = "button";
  name.className = "history-name";
  const time = document.createElement("time");
  const made = new Date(one.made);
  time.dateTime = made.toISOString();
  time.textContent = made.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const title = document.createElement("span");
  title.textContent = one.title;
  name.append(title, time);
  if (one.key === page.key()) name.setAttribute("aria-current", "true");
  name.addEventListener("click", () => {
    document.getElementById("history").close();
    page.go(one.key);
  });
  const remove = document.createElement("button");
  remove.type = "button";
  remove.textContent = "Delete";
  remove.setAttribute("aria-label", `Delete: ${one.title}`);
  remove.addEventListener("click", () => removeOne(one, item, page));
  item.append(name, remove);
  return item;
}

async function begin(page) {
  await tried(page, async () => page.go((await call("POST", PLACE)).key));
}

async function removeOne(one, item, page) {
  await tried(page, async () => {
    const next = await call("DELETE", `${PLACE}/${one.key}`);
    (item.nextElementSibling ?? item.previousElementSibling)?.querySelector("button")?.focus();
    await fill(page);
    if (one.key === page.key()) page.go(next.key);
    page.notice("The conversation was deleted.");
  });
}

async function removeAll(dialog, page) {
  await tried(page, async () => {
    page.go((await call("DELETE", PLACE)).key);
    dialog.close();
    page.notice("All your conversations were deleted.");
  });
}

/** Delete the conversation that is shown. */
export async function forget(page) {
  await tried(page, async () => {
    page.go((await call("DELETE", page.address())).key);
    page.notice("The conversation was deleted.");
  });
}

async function tried(page, work) {
  try {
    await work();
    return true;
  } catch (failure) {
    page.notice(failure.message);
    return false;
  }
}
