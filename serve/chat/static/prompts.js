// A box or points, drawn by hand, and the outline that the promptable network gives for them.

import { words } from "./frames.js";
import { loadPicture, tinted } from "./layers.js";
import { label } from "./ruler.js";

const COLOUR = [255, 225, 77];
const DOUBT = [230, 120, 255];

export class Prompts {
  /** `urlOf(handle, what)` is where to ask; `changed()` redraws; `say(words)` tells a screen reader. */
  constructor(urlOf, panel, changed, say) {
    Object.assign(this, { urlOf, panel, changed, say, asked: new Map(), ready: new Set(), withDoubt: false });
    this.part = (name) => panel.querySelector(`[data-part=${name}]`);
    this.part("doubt").addEventListener("change", (event) => {
      this.withDoubt = event.target.checked;
      this.changed();
    });
  }

  of(handle, frame) {
    const key = `${handle}/${frame}`;
    if (!this.asked.has(key)) this.asked.set(key, { box: null, points: [], drawing: null, lines: [] });
    return this.asked.get(key);
  }

  /** Have the image looked at before the first prompt, so that the prompt finds it done. */
  async prepare(handle, frame) {
    const key = `${handle}/${frame}`;
    if (this.ready.has(key)) return;
    this.ready.add(key);
    const answer = await this.post(handle, "prepare", { frame }).catch(() => null);
    if (!answer?.ok) this.ready.delete(key);
  }

  post(handle, what, body, signal) {
    const headers = { "Content-Type": "application/json" };
    return fetch(this.urlOf(handle, what), { method: "POST", headers, body: JSON.stringify(body), signal });
  }

  startBox(handle, frame, corner) {
    this.of(handle, frame).drawing = [...corner, ...corner];
  }

  moveBox(handle, frame, [x, y]) {
    const one = this.of(handle, frame);
    if (one.drawing) one.drawing.splice(2, 2, x, y);
  }

  /** Ask about the box that was drawn, if it holds a pixel; whether it does. */
  finishBox(handle, frame) {
    const one = this.of(handle, frame);
    const [ax, ay, bx, by] = one.drawing ?? [0, 0, 0, 0];
    one.drawing = null;
    if (ax === bx || ay === by) return false;
    one.box = [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
    one.points = [];
    this.ask(handle, frame);
    return true;
  }

  addPoint(handle, frame, [x, y], inside) {
    const one = this.of(handle, frame);
    one.points.push({ x, y, inside });
    if (one.box || one.points.some((point) => point.inside)) this.ask(handle, frame);
    else this.tell(handle, frame, ["Add a point inside the object too."]);
  }

  async ask(handle, frame) {
    const one = this.of(handle, frame), begun = performance.now();
    one.control?.abort();
    const control = (one.control = new AbortController());
    this.tell(handle, frame, ["Outlining …"]);
    try {
      const answer = await this.post(handle, "outline", { frame, box: one.box, points: one.points }, control.signal);
      if (!answer.ok) throw new Error(await words(answer));
      const found = await answer.json();
      const [mask, doubt] = await Promise.all([found.mask, found.doubt].map((url) => url && loadPicture(url)));
      if (control.signal.aborted) return;
      one.mask = mask ? tinted(mask, COLOUR, "mask") : null;
      one.doubt = doubt ? tinted(doubt, DOUBT, "uncertainty") : null;
      one.milliseconds = performance.now() - begun;
      this.tell(handle, frame, found.lines);
    } catch (error) {
      if (error.name === "AbortError") return;
      one.mask = one.doubt = null;
      this.tell(handle, frame, [error.message]);
    }
  }

  tell(handle, frame, lines) {
    this.of(handle, frame).lines = lines;
    this.say(lines.join(" "));
    this.changed();
  }

  clear(handle, frame) {
    this.of(handle, frame).control?.abort();
    this.asked.delete(`${handle}/${frame}`);
    this.changed();
  }

  cancel(handle, frame) {
    this.of(handle, frame).drawing = null;
  }

  /** What came of the prompts on a frame, in the panel beside the image. */
  list(handle, frame) {
    const one = this.of(handle, frame);
    this.panel.hidden = !one.lines.length;
    this.panel.dataset.milliseconds = one.mask ? Math.round(one.milliseconds) : "";
    this.part("doubt").parentElement.hidden = !one.doubt;
    this.part("said").replaceChildren(
      ...one.lines.map((line) => {
        const item = document.createElement("li");
        item.textContent = line;
        return item;
      }),
    );
  }

  draw(pen, view, study, frame, pixel, opacity) {
    const one = this.of(study.handle, frame);
    const [rows, columns] = study.size;
    const corner = view.toCanvas(0, 0), size = [columns * view.scale, rows * view.scale * view.aspect];
    pen.globalAlpha = Math.max(opacity, 0.15);
    if (one.mask) pen.drawImage(one.mask, ...corner, ...size);
    if (one.doubt && this.withDoubt) pen.drawImage(one.doubt, ...corner, ...size);
    pen.globalAlpha = 1;
    const box = one.drawing ?? one.box;
    if (box) {
      const [left, top] = view.toCanvas(box[0], box[1]), [right, bottom] = view.toCanvas(box[2], box[3]);
      for (const [colour, dash] of [["#000000", []], ["#ffffff", [6 * pixel, 4 * pixel]]]) {
        pen.strokeStyle = colour;
        pen.lineWidth = 2 * pixel;
        pen.setLineDash(dash);
        pen.strokeRect(left, top, right - left, bottom - top);
      }
      pen.setLineDash([]);
    }
    for (const point of one.points) {
      const at = view.toCanvas(point.x + 0.5, point.y + 0.5);
      pen.beginPath();
      pen.arc(...at, 9 * pixel, 0, 2 * Math.PI);
      pen.fillStyle = point.inside ? "#00684a" : "#8c1d2a";
      pen.fill();
      pen.strokeStyle = "#ffffff";
      pen.lineWidth = 2 * pixel;
      pen.stroke();
      label(pen, point.inside ? "+" : "−", at[0] - 4.5 * pixel, at[1], pixel);
    }
  }
}
