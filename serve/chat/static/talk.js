// The conversation on the page. Gradio makes the fields and buttons; what is said is drawn here as it comes.

import { call } from "./calls.js";
import { listen as listenToDeeds } from "./deeds.js";
import { whenReady } from "./fields.js";
import { forget, listen as listenToHistory } from "./history.js";
import { apply } from "./pieces.js";
import { tell, tellOf } from "./speech.js";
import { Stream } from "./stream.js";

const PLACE = "/page";
const RESTARTED =
  "The server was started anew. Conversations lie in its memory alone, so the earlier ones are gone.";

let boot = null;
let key = null;
const stream = new Stream(heard, reached);

const page = {
  key: () => key,
  address: () => `${PLACE}/${key}`,
  notice,
  tell,
  go,
  ask: (question) => ask(question),
  again: (address) => begin(() => call("POST", address)),
  forget: () => forget(page),
  stop: () => begin(() => call("POST", `${page.address()}/stop`)),
};

/** What Gradio's buttons call. */
window.overread = {
  conversation: () => key,
  ask,
  stop: page.stop,
  forget: page.forget,
};

/** Ask; the text that stays in the field: none, or the question when it could not be asked. */
async function ask(question, age = "", view = "") {
  const known = (value) => (!value || value === "not known" ? "" : value);
  const body = { question: question ?? "", age_band: known(age), view: known(view) };
  const done = await begin(() => call("POST", `${page.address()}/questions`, body));
  return done ? "" : question;
}

async function begin(work) {
  try {
    await work();
    notice("");
    return true;
  } catch (failure) {
    notice(failure.message);
    return false;
  }
}

/** Show a conversation. */
function go(other) {
  if (other !== key) {
    key = other;
    apply([], true);
  }
  document.documentElement.dataset.conversation = key;
  document.dispatchEvent(new CustomEvent("overread:conversation", { detail: { key } }));
  stream.open(key);
}

function heard(told) {
  const last = document.querySelector("#current .turn")?.id;
  const changed = apply(told.pieces, told.whole);
  document.body.toggleAttribute("data-busy", told.busy);
  document.getElementById("talk-welcome").hidden = Boolean(document.querySelector(".turn"));
  if (told.whole) return;
  tellOf(changed);
  const now = document.querySelector("#current .turn");
  if (last !== undefined && now && now.id !== last) now.scrollIntoView({ block: "start", behavior: "instant" });
}

/** The server is there, or is not. */
function reached(there, state, failure) {
  const place = document.getElementById("offline");
  place.hidden = there;
  if (!there) {
    const said = failure.code === "unreachable" ? "The server cannot be reached. Trying again by itself …" : failure.message;
    if (place.textContent !== said) place.textContent = said;
    return;
  }
  if (!state) return;
  const anew = boot !== null && state.boot !== boot;
  boot = state.boot;
  const known = state.conversations.some((one) => one.key === key);
  go(known ? key : state.current);
  if (anew) notice(RESTARTED);
}

function notice(text) {
  const box = document.getElementById("notice-box");
  const said = document.createElement("p");
  said.className = "notice";
  said.textContent = text;
  box.replaceChildren(...(text ? [said] : []));
}

async function start() {
  await whenReady();
  document.documentElement.dataset.ready = "";
  listenToDeeds(page);
  listenToHistory(page);
  await stream.retry();
}

start();
