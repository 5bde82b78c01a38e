// Drop a study: files, folders and samples are sent, opened by the server, and shown as cards before any question.
//
// When the studies change, the document hears "overread:studies" with {key, base, studies}; when a card is to be
// shown, "overread:show" with the card.

import { faultCard, sizeWords, studyCard, whichFiles } from "./cards.js";
import { fromDrop, fromPicker } from "./gathering.js";
import { send, UploadError } from "./upload.js";

const PUT_AWAY = "Older images were put away to make room.";

class Opening {
  constructor(root) {
    this.root = root;
    this.bounds = Object.fromEntries(["each", "together", "files"].map((name) => [name, Number(root.dataset[name])]));
    this.part = (selector) => root.querySelector(selector);
    this.queue = Promise.resolve();
    this.upload = null;
    this.key = null;
    this.items = new Map();
    this.listen();
  }

  // The conversation whose studies these are. What is being sent to another one goes on.
  use(key) {
    if (!key || key === this.key) return;
    this.key = key;
    this.base = `/page/${key}`;
    this.listed = "";
    this.revision = 0;
    this.items.clear();
    this.putAway = 0;
    this.waiting = false;
    for (const list of [".cards", ".faults"]) this.part(list).replaceChildren();
    this.say("");
    this.refresh();
  }

  listen() {
    for (const kind of ["files", "folder"]) {
      const input = this.part(`[data-input=${kind}]`);
      this.part(`[data-pick=${kind}]`).addEventListener("click", () => input.click());
      input.addEventListener("change", () => {
        const files = fromPicker(input.files, kind === "folder");
        input.value = "";
        this.take(files);
      });
    }
    this.part("[data-cancel]").addEventListener("click", () => this.upload?.cancel());
    for (const button of this.root.querySelectorAll("[data-sample]")) {
      button.addEventListener("click", () => this.sample(button));
    }
  }

  say(text) {
    this.part(".said").textContent = text;
  }

  fail({ what, todo }, which) {
    this.part(".faults").append(faultCard({ what, todo }, which));
  }

  // One drop after the other.
  take(files) {
    this.part(".faults").replaceChildren();
    if (!files.length) return this.say("There is no file in what was dropped.");
    const allowed = this.within(files);
    if (!allowed.length) return undefined;
    const { base } = this;
    this.queue = this.queue.then(() => this.sendAll(allowed, base));
    return this.queue;
  }

  // What is too large is told before anything is sent; the others go on.
  within(files) {
    const { each, together, files: most } = this.bounds;
    if (files.length > most) {
      const what = `These are ${files.length} files, more than the ${most} that may come at once.`;
      this.fail({ what, todo: "Drop fewer." }, "Too many files");
      return [];
    }
    const small = files.filter(({ file }) => file.size <= each);
    files.forEach(({ file }, number) => {
      if (file.size <= each) return;
      const what = `The file is larger than ${sizeWords(each)}, the most one file may have.`;
      this.fail({ what, todo: "Give a smaller one. Nothing of it was sent." }, whichFiles([number], files));
    });
    const whole = small.reduce((sum, { file }) => sum + file.size, 0);
    if (whole <= together) return small;
    const what = `The files have ${sizeWords(whole)} together, more than the ${sizeWords(together)} this page may hold.`;
    this.fail({ what, todo: "Drop fewer at once. Nothing was sent." }, "Too much at once");
    return [];
  }

  async sendAll(files, base) {
    let opened = 0;
    let failed = 0;
    let last = null;
    const line = (one) => {
      if (one.type === "received") this.progress("Opening", null);
      if (one.type === "opening") this.progress(one.of > 1 ? `Opening ${one.n} of ${one.of}` : "Opening", null);
      if (one.type === "study") {
        opened += 1;
        last = one.card;
        this.refresh();
      }
      if (one.type === "fault") {
        failed += 1;
        this.fail(one, whichFiles(one.files, files));
      }
      if (one.type === "end" && base === this.base) this.show(one);
    };
    const progress = (sent, total) => {
      const share = total ? sent / total : 1;
      this.progress(`Sending ${sizeWords(total)}: ${Math.floor(share * 100)} %`, share);
    };
    this.note = "";
    this.say("");
    this.progress("Sending", 0);
    this.upload = send(`${base}/studies`, files, { progress, line });
    try {
      await this.upload.done;
      this.say([outcome(opened, failed), this.note].filter(Boolean).join(" "));
      if (last && base === this.base) this.announce("overread:show", last);
    } catch (error) {
      if (!(error instanceof UploadError)) throw error;
      this.fail({ what: error.message, todo: error.todo }, "The upload");
    } finally {
      this.upload = null;
      this.part(".sending").hidden = true;
      await this.refresh();
    }
  }

  progress(text, share) {
    this.part(".sending").hidden = false;
    this.part("#opening-progress").textContent = `${text}…`;
    const bar = this.part("progress");
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
  }

  async sample(button) {
    const buttons = this.root.querySelectorAll("[data-sample]");
    for (const one of buttons) one.disabled = true;
    this.part(".faults").replaceChildren();
    this.progress("Making the sample", null);
    this.part("[data-cancel]").hidden = true;
    try {
      const made = await this.ask(`/samples/${button.dataset.sample}`, "POST");
      if (!made) return;
      this.show(made);
      if (made.type === "fault") {
        this.fail(made, "The sample");
        return;
      }
      fillIn(made.question);
      this.part(".samples").open = false;
      this.say("The sample is open, and a question to begin with is filled in.");
      this.announce("overread:show", made.card);
    } finally {
      for (const one of buttons) one.disabled = false;
      this.part(".sending").hidden = true;
      this.part("[data-cancel]").hidden = false;
    }
  }

  async remove(card) {
    const items = [...this.root.querySelectorAll(".cards .study")];
    const place = items.findIndex((item) => item.dataset.handle === card.handle);
    const left = await this.ask(`/studies/${card.handle}`, "DELETE");
    if (left) this.show(left);
    else await this.refresh();
    this.say("The image was removed, and its files were deleted.");
    const next = this.root.querySelectorAll(".cards .remove")[place] ?? this.part("[data-pick=files]");
    next.focus();
  }

  async refresh() {
    const { base } = this;
    const told = await this.ask("/studies");
    if (told && base === this.base) this.show(told);
  }

  // The answer as JSON, or null after telling what went wrong.
  async ask(path, method = "GET") {
    try {
      const answer = await fetch(this.base + path, { method, cache: "no-store" });
      if (answer.ok) return await answer.json();
      if (answer.status !== 404 || method === "DELETE") return null;
      this.say("This page was closed by the server. Load it again.");
    } catch {
      this.say("The server does not answer. Check that Overread still runs.");
    }
    return null;
  }

  show(told) {
    // Answers may come in another order than they were asked for in; an older list must not replace a newer.
    if (told.revision < this.revision) return;
    this.revision = told.revision;
    const listed = JSON.stringify(told.studies);
    const waiting = told.studies.some((card) => card.waiting);
    if (this.waiting && !waiting) this.say("");
    this.waiting = waiting;
    if (told.put_away > this.putAway) this.say((this.note = PUT_AWAY));
    this.putAway = told.put_away;
    if (listed === this.listed) return;
    this.listed = listed;
    const on = { remove: (card) => this.remove(card), show: (card) => this.announce("overread:show", card) };
    const items = told.studies.map((card, n) => this.item(card, n + 1, on));
    this.part(".cards").replaceChildren(...items);
    this.announce("overread:studies", { key: this.key, base: this.base, studies: told.studies });
  }

  // A card that says the same as before stays the same element, so that its picture is not fetched again.
  item(card, number, on) {
    const said = JSON.stringify([card, number]);
    const before = this.items.get(card.handle);
    if (before?.said === said) return before.item;
    const item = studyCard(card, number, this.base, on);
    this.items.set(card.handle, { said, item });
    return item;
  }

  announce(name, detail) {
    document.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function outcome(opened, failed) {
  const some = (count) => (count === 1 ? "1 image" : `${count} images`);
  const ready = opened ? `${some(opened)} open. Ask about ${opened === 1 ? "it" : "them"}.` : "";
  const not = failed ? `${failed === 1 ? "One file" : `${failed} files`} could not be opened; see below.` : "";
  return [ready, not].filter(Boolean).join(" ");
}

// A question into the text box, as if it had been typed: the page's framework hears "input".
function fillIn(question) {
  const box = document.querySelector("#question textarea");
  if (!box) return;
  box.value = question;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  box.focus();
}

let current = null;
let key = null;
let revision = null;

// The page's framework puts the place in, and may put it in again; the server tells by a number that studies changed.
function look() {
  const root = document.getElementById("opening");
  if (root && root !== current?.root) current = new Opening(root);
  if (!current || !key) return;
  current.use(key);
  const told = document.getElementById("studies-revision")?.dataset.revision;
  if (told === undefined || told === revision) return;
  revision = told;
  current.refresh();
}

document.addEventListener("overread:conversation", ({ detail }) => {
  key = detail.key;
  look();
});

const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

document.addEventListener("dragover", (event) => {
  if (!current || !holdsFiles(event)) return;
  event.preventDefault();
  current.root.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) current?.root.classList.remove("over");
});
document.addEventListener("drop", async (event) => {
  if (!current || !holdsFiles(event)) return;
  event.preventDefault();
  current.root.classList.remove("over");
  current.take(await fromDrop(event.dataTransfer));
});
document.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (!current || !files.length) return;
  event.preventDefault();
  current.take(files.map((file) => ({ file, folder: null })));
});

const watched = { childList: true, subtree: true, attributes: true, attributeFilter: ["data-revision"] };
new MutationObserver(look).observe(document.documentElement, watched);
key = window.overread?.conversation() ?? null;
look();
