// The image viewer beside the conversation: which study and frame are shown, with which tool, and what was found there.

import { FrameStore } from "./frames.js";
import { DRAWING, Hand } from "./hand.js";
import { list as listKeys, listen } from "./keys.js";
import { Layers } from "./layers.js";
import { Planes, possible } from "./planes.js";
import { Prompts } from "./prompts.js";
import { Ruler } from "./ruler.js";
import { Stage } from "./stage.js";
import { Strip } from "./strip.js";
import { View } from "./view.js";
import { ToneSetting } from "./window.js";

const SPEAK_AFTER_MS = 350;
const BUSY_AFTER_MS = 250;
const PROMPTING = ["box", "add", "remove"];
const IDLE = { study: null, index: 0, tool: "look", studies: [], marks: [], faults: new Map() };

export class Viewer {
  /** `root` is the shell that the server wrote; `base` is the page's own address, which holds its key. */
  constructor(root, base) {
    Object.assign(this, { root, base }, structuredClone(IDLE));
    Object.assign(this, { view: new View(), tone: new ToneSetting(), ruler: new Ruler(), indices: new Map() });
    const redraw = () => this.refresh();
    this.store = new FrameStore((handle, n) => this.url(handle, `frames/${n}`), (...at) => this.arrived(...at), (...at) => this.failed(...at));
    this.layers = new Layers(this.part("legend"), redraw, (frame) => this.goTo(frame));
    this.prompts = new Prompts((...at) => this.url(...at), this.part("outline"), redraw, (words) => this.say(words));
    this.strip = new Strip(this.part("strip"), (handle) => this.url(handle, "thumbnail.png"), (handle) => this.choose(handle));
    this.planes = new Planes(this.part("planes"), this.base);
    this.hand = new Hand(this);
    this.stage = new Stage(this.part("stage"), this);
    listen(this.part("stage"), this);
    listKeys(this.part("keys"));
    this.wire();
  }

  part(name) {
    return this.root.querySelector(`[data-part=${name}]`);
  }

  url(handle, what) {
    return `${this.base}/studies/${handle}/${what}`;
  }

  wire() {
    const actions = {
      clear: () => this.clear(), invert: () => this.invert(), fit: () => this.fit(), one: () => this.oneToOne(),
      in: () => this.zoom(1.25), out: () => this.zoom(0.8), help: () => this.help(), planes: () => this.togglePlanes(), unlight: () => this.light([]),
    };
    this.root.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-do], button[data-tool]");
      if (button?.dataset.tool) this.use(button.dataset.tool);
      else if (button) actions[button.dataset.do]();
    });
    this.part("presets").addEventListener("change", (event) => this.preset(event.target.value));
    this.part("slider").addEventListener("input", (event) => this.goTo(event.target.value - 1));
    this.part("number").addEventListener("change", (event) => this.goTo(event.target.value - 1));
    this.part("opacity").addEventListener("input", (event) => this.setOpacity(event.target.value / 100));
    this.part("shown").addEventListener("change", () => this.toggleLayers());
  }

  /** Ask the server again which studies there are, and what was found on them. */
  async update() {
    const answer = await fetch(`${this.base}/viewer`).catch(() => null);
    if (!answer?.ok) return;
    const told = await answer.json();
    const fresh = told.studies.filter((study) => !this.studies.some((one) => one.handle === study.handle));
    this.studies = told.studies;
    this.marks = told.marks;
    this.layers.set(told.layers);
    this.store.only(this.studies.map((study) => study.handle));
    this.root.hidden = !this.studies.length;
    const kept = this.studies.find((study) => study.handle === this.study?.handle);
    const next = fresh.at(0) ?? kept ?? this.studies.at(-1);
    if (!next) this.study = null;
    else if (next.handle === this.study?.handle) this.study = next;
    else this.choose(next.handle);
    this.refresh();
  }

  /** Show a study, at the frame it was left at. */
  choose(handle, frame = null) {
    const study = this.studies.find((one) => one.handle === handle);
    if (!study) return;
    this.hand.drop();
    const other = study.handle !== this.study?.handle;
    if (other) this.hidePlanes();
    this.study = study;
    if (other) {
      this.hand.cross = null;
      this.tone.choose("stored");
      this.tone.inverse = false;
      const [row, column] = study.spacing_mm ?? [1, 1];
      this.view.setImage(study.size[1], study.size[0], row / column);
      this.fillPresets();
    }
    this.goTo(frame ?? this.indices.get(handle) ?? study.frame, other);
  }

  fillPresets() {
    const choices = [["stored", "As stored"], ["full", "Full range"], ...this.study.presets.map((one) => [one.name, one.name])];
    this.part("presets").replaceChildren(...choices.map(([value, words]) => new Option(words, value)));
    this.root.querySelector("[data-do=planes]").hidden = !this.study.planes || !possible();
    this.part("slices").hidden = this.study.frames < 2;
    for (const name of ["slider", "number"]) this.part(name).max = this.study.frames;
    this.part("slice-word").textContent = this.study.slice_spacing_mm ? "Slice" : "Frame";
    this.part("count").textContent = `of ${this.study.frames}`;
    this.part("facts").textContent = `${this.study.label}: ${this.study.facts}`;
    this.part("stage").setAttribute("aria-label", `${this.study.label}: ${this.study.facts}`);
  }

  get frame() {
    return this.study && this.store.peek(this.study.handle, this.index);
  }

  goTo(frame, quiet = false) {
    const { study } = this, before = this.index;
    const wanted = Number.isNaN(Number(frame)) ? before : Number(frame);
    this.index = Math.max(0, Math.min(study.frames - 1, Math.round(Math.min(wanted, study.frames - 1))));
    if (this.index !== before) this.hand.drop();
    this.indices.set(study.handle, this.index);
    this.store.want(study.handle, this.index, study.frames, this.index < before ? -1 : 1);
    if (PROMPTING.includes(this.tool)) this.prepareSoon();
    if (!quiet && study.frames > 1) this.say(`${this.index + 1} of ${study.frames}`);
    this.refresh();
  }

  step(way) {
    if (this.study.frames > 1) this.goTo(this.index + way);
  }

  turn(way) {
    const at = this.studies.findIndex((study) => study.handle === this.study.handle);
    const next = this.studies[at + way];
    if (next) this.choose(next.handle);
    if (next) this.say(next.label);
  }

  arrived(handle, n) {
    this.faults.delete(`${handle}/${n}`);
    if (handle === this.study?.handle && n === this.index) this.refresh();
  }

  failed(handle, n, words) {
    this.faults.set(`${handle}/${n}`, words);
    if (handle === this.study?.handle && n === this.index) this.refresh();
  }

  /** Bring the picture and everything beside it up to date. */
  refresh() {
    const { study, index, frame, layers } = this;
    if (!study) return;
    this.strip.show(this.studies, study.handle);
    const fault = this.faults.get(`${study.handle}/${index}`);
    this.sayBusy(frame ? "" : fault ?? `${index + 1} is loading …`, fault ? 0 : BUSY_AFTER_MS);
    for (const name of ["slider", "number"]) this.part(name).value = index + 1;
    if (frame) this.describeTone(frame);
    layers.list(study, index);
    this.part("shown").checked = layers.shown;
    this.part("opacity").value = Math.round(layers.opacity * 100);
    this.root.querySelector("[data-do=unlight]").hidden = !layers.lit;
    this.prompts.list(study.handle, index);
    this.stage.soon();
  }

  /** What is still waited for, or went wrong; a short wait is not worth a word. */
  sayBusy(words, after) {
    clearTimeout(this.waiting);
    const say = () => {
      this.part("busy").hidden = !words;
      this.part("busy").textContent = words;
    };
    if (words) this.waiting = setTimeout(say, after);
    else say();
  }

  describeTone(frame) {
    const { tone } = this, [low, high] = tone.ends(frame), stored = tone.name === "stored";
    const level = stored && frame.codes ? frame.level : (low + high) / 2, width = stored && frame.codes ? frame.spread : high - low;
    const digits = width < 20 ? 2 : 0;
    const said = `level ${level.toFixed(digits)}, width ${width.toFixed(digits)}`;
    this.part("tone").textContent = frame.table && stored ? "the file's own curve" : said;
    this.part("presets").value = tone.name === "own" ? "" : tone.name;
    this.root.querySelector("[data-do=invert]").setAttribute("aria-pressed", String(tone.inverse));
  }

  use(tool) {
    this.hand.drop();
    this.tool = tool;
    this.part("stage").dataset.tool = tool;
    for (const button of this.root.querySelectorAll("button[data-tool]")) {
      button.setAttribute("aria-checked", String(button.dataset.tool === tool));
    }
    if (!DRAWING.includes(tool)) this.hand.cross = null;
    if (PROMPTING.includes(tool)) this.prepareSoon();
    this.say(`${this.root.querySelector(`button[data-tool=${tool}]`).textContent} tool`);
    this.refresh();
  }

  /** Only where the reader stays is the image looked at. */
  prepareSoon() {
    clearTimeout(this.preparing);
    const { handle } = this.study, { index } = this;
    this.preparing = setTimeout(() => this.prompts.prepare(handle, index), 150);
  }

  preset(name) {
    const found = this.study.presets.find((one) => one.name === name);
    this.tone.choose(name, found?.low, found?.high);
    this.say(`window ${name}`);
    this.refresh();
  }

  nextPreset(way) {
    const names = ["stored", "full", ...this.study.presets.map((one) => one.name)];
    const at = names.indexOf(this.tone.name);
    this.preset(names[(Math.max(at, 0) + way + names.length) % names.length]);
  }

  invert() {
    this.tone.inverse = !this.tone.inverse;
    this.refresh();
  }

  dragWindow(right, down) {
    if (!this.frame) return;
    this.tone.drag(this.frame, right, down);
    this.refresh();
    this.say(this.part("tone").textContent);
  }

  zoom(factor, at = [this.view.width / 2, this.view.height / 2]) {
    this.view.zoom(factor, ...at);
    this.stage.soon();
  }

  pan(dx, dy) {
    this.view.pan(dx, dy);
    this.stage.soon();
  }

  fit() {
    this.view.fit();
    this.stage.soon();
  }

  oneToOne() {
    this.view.oneToOne();
    this.stage.soon();
  }

  setOpacity(opacity) {
    this.layers.opacity = Math.min(1, Math.max(0, opacity));
    this.refresh();
  }

  toggleLayers() {
    this.layers.shown = !this.layers.shown;
    this.say(this.layers.shown ? "overlays on" : "overlays off");
    this.refresh();
  }

  /** What the cursor is on; null when it is nowhere. */
  point(at = this.pointed) {
    this.pointed = at;
    this.part("value").textContent = at ? this.valueWords(this.view.toImage(...at).map(Math.floor)) : "";
  }

  valueWords([x, y]) {
    const value = this.frame?.valueAt(x, y) ?? null;
    if (value === null) return "";
    const fine = this.frame.slope && !Number.isInteger(this.frame.slope);
    const said = Array.isArray(value) ? `red ${value[0]}, green ${value[1]}, blue ${value[2]}` : value.toFixed(fine ? 2 : 0);
    return `x ${x}, y ${y}: ${said}${this.study.unit ? ` ${this.study.unit}` : ""}`;
  }

  clear() {
    this.ruler.clear(this.study.handle, this.index);
    this.prompts.clear(this.study.handle, this.index);
    this.say("rulers and prompts cleared");
    this.refresh();
  }

  escape() {
    if (this.hand.drawing) this.hand.drop();
    else if (this.tool !== "look") this.use("look");
    else this.light([]);
  }

  /** Three planes in place of the slice, or back. */
  async togglePlanes() {
    const { study, frame } = this;
    if (this.planes.shown) return this.hidePlanes();
    if (!study.planes || !frame) return undefined;
    this.sayBusy("The planes are being made …", 0);
    this.pressPlanes(true);
    const [low, high] = this.tone.ends(frame);
    const failed = await this.planes.show(study.planes, low, high).then(() => "", (error) => error.message);
    if (failed) this.hidePlanes();
    this.sayBusy(failed, 0);
    this.say(failed || "three planes are shown; drag to move the cross-hair, T goes back");
    return undefined;
  }

  hidePlanes() {
    this.planes.hide();
    this.pressPlanes(false);
  }

  pressPlanes(shown) {
    this.planes.shown = shown;
    this.part("planes").hidden = !shown;
    this.root.querySelector("[data-do=planes]").setAttribute("aria-pressed", String(shown));
  }

  light(keys) {
    this.layers.light(keys);
    this.refresh();
  }

  /** Show what a chip of the conversation or a card stands for: a study's handle or a run's study id; whether it could. */
  show({ handle, study = handle, frame, ref }) {
    const mark = this.marks.find((one) => one.ref === ref && (!study || [one.handle, one.study_id].includes(study)));
    const shown = this.studies.find((one) => [one.handle, ...one.study_ids].includes(mark?.handle ?? study));
    if (!shown) return false;
    this.choose(shown.handle, mark?.frame ?? (ref && frame >= 0 ? Number(frame) : null));
    if (ref) {
      this.light(mark?.layers ?? []);
      const place = mark?.layers.length ? "its place is lit" : "it has no place of its own in the image";
      const slice = shown.frames > 1 ? `, ${this.index + 1} of ${shown.frames}` : "";
      this.say(`${mark?.text ?? ref}: ${shown.label}${slice}; ${place}`);
    }
    this.root.scrollIntoView({ block: "nearest" });
    return true;
  }

  help() {
    this.part("help").showModal();
  }

  /** Tell a screen reader, once the reader pauses. */
  say(words) {
    clearTimeout(this.saying);
    this.saying = setTimeout(() => (this.part("say").textContent = words), SPEAK_AFTER_MS);
  }
}
