// Drawing by hand: with the mouse or a finger, or with arrow keys and Enter at a cross-hair.

import { lengthWords } from "./ruler.js";

export const DRAWING = ["ruler", "box", "add", "remove"];

export class Hand {
  constructor(viewer) {
    this.viewer = viewer;
    this.cross = null; // the pixel the cross-hair is on
  }

  get prompt() {
    return this.viewer.prompts.of(this.viewer.study.handle, this.viewer.index);
  }

  /** Whether a line or a box was begun and not finished. */
  get drawing() {
    return Boolean(this.viewer.ruler.started || (this.viewer.study && this.prompt.drawing));
  }

  moveCross(dx, dy) {
    const { view } = this.viewer;
    const [x, y] = this.cross ?? view.pixel(view.toImage(view.width / 2, view.height / 2));
    this.cross = this.cross ? view.pixel([x + dx, y + dy]) : [x, y];
    view.reveal(...this.cross);
    this.drawTo(this.atCross());
    const words = this.viewer.valueWords(this.cross);
    this.viewer.part("value").textContent = words;
    this.viewer.say(words);
  }

  /** Where the cross-hair stands for: the middle of its pixel; for a box the corner that takes the pixel in. */
  atCross() {
    const [x, y] = this.cross;
    if (this.viewer.tool !== "box") return [x + 0.5, y + 0.5];
    const [fromX, fromY] = this.prompt.drawing ?? [Infinity, Infinity];
    return [x >= fromX ? x + 1 : x, y >= fromY ? y + 1 : y];
  }

  /** Enter: an end of the ruler, a corner of the box, or a point. */
  set() {
    if (!this.cross) this.moveCross(0, 0);
    if (this.drawing) {
      this.finish(this.atCross());
      return;
    }
    this.begin(this.atCross());
    if (this.drawing) this.viewer.say("begun; move, and press Enter again");
  }

  /** A finger or button went down, moved, and went up again, at places on the canvas. */
  press(at) {
    this.cross = null;
    this.drop();
    if (DRAWING.includes(this.viewer.tool)) this.begin(this.viewer.view.toImage(...at));
  }

  pull(at) {
    this.drawTo(this.viewer.view.toImage(...at));
  }

  release(at) {
    if (this.drawing) this.finish(this.viewer.view.toImage(...at));
  }

  begin(place) {
    if (!this.viewer.frame) return; // what is to be seen is still another slice
    const { tool, study, index, view, ruler, prompts, stage } = this.viewer;
    if (tool === "ruler") ruler.start(study.handle, index, place);
    else if (tool === "box") prompts.startBox(study.handle, index, view.corner(place));
    else prompts.addPoint(study.handle, index, view.pixel(place), tool === "add");
    stage.soon();
  }

  drawTo(place) {
    const { tool, study, index, view, ruler, prompts, stage } = this.viewer;
    if (tool === "ruler") ruler.move(place);
    else if (tool === "box") prompts.moveBox(study.handle, index, view.corner(place));
    stage.soon();
  }

  finish(place) {
    const { tool, study, index, ruler, prompts, stage } = this.viewer;
    this.drawTo(place);
    if (tool === "box") prompts.finishBox(study.handle, index);
    const line = tool === "ruler" ? ruler.finish() : null;
    if (line) this.viewer.say(lengthWords(line.from, line.to, study.spacing_mm));
    stage.soon();
  }

  /** Let what was begun go. */
  drop() {
    const { ruler, prompts, study, index, stage } = this.viewer;
    ruler.cancel();
    if (study) prompts.cancel(study.handle, index);
    stage?.soon();
  }
}
