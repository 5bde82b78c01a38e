// The canvas: what is drawn on it, and what mouse, wheel and fingers do. What they mean is the viewer's.

import { paint, tableOf } from "./window.js";

const BIG = 1_000_000; // pixels from which an image is windowed at the size it is shown

export class Stage {
  constructor(element, viewer) {
    Object.assign(this, { element, viewer, drawn: "", table: null, waiting: 0, pointers: new Map(), gesture: null });
    this.canvas = element.querySelector("canvas");
    this.pen = this.canvas.getContext("2d", { alpha: false });
    this.base = document.createElement("canvas");
    new ResizeObserver(() => this.resize()).observe(element);
    element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    element.addEventListener("contextmenu", (event) => event.preventDefault());
    for (const name of ["down", "move", "up", "cancel", "leave"]) {
      element.addEventListener(`pointer${name}`, (event) => this[name](event));
    }
  }

  /** Device pixels a CSS pixel. */
  get pixel() {
    return window.devicePixelRatio || 1;
  }

  resize() {
    const { width, height } = this.element.getBoundingClientRect();
    if (!width || !height) return;
    this.canvas.width = Math.round(width * this.pixel);
    this.canvas.height = Math.round(height * this.pixel);
    this.viewer.view.setCanvas(this.canvas.width, this.canvas.height);
    this.draw();
  }

  /** Draw before the next picture on the screen, once. */
  soon() {
    this.waiting ||= requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.waiting);
    this.waiting = 0;
    const { viewer, pen, canvas, pixel } = this, { view, study, index } = viewer;
    const begun = performance.now(), frame = study && viewer.store.peek(study.handle, index);
    // Until a frame of the same study has come, the one before stays, under its own number.
    if (!frame && this.handle === study?.handle) return;
    this.handle = frame ? study.handle : null;
    this.element.dataset.frame = frame ? index : "";
    // A finger on an image that fits scrolls the page; on one that is zoomed it moves the image.
    this.element.style.touchAction = viewer.tool === "look" && view.fitted ? "pan-y" : "none";
    pen.fillStyle = "#000000";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    viewer.part("where").textContent = frame && study.frames > 1 ? `${index + 1} / ${study.frames}` : "";
    if (!frame) return;
    this.paintBase(frame);
    pen.imageSmoothingEnabled = view.scale < 4;
    pen.imageSmoothingQuality = "medium";
    pen.drawImage(this.base, view.x, view.y, view.across * view.scale, view.down * view.scale * view.aspect);
    viewer.layers.draw(pen, view, study, index, pixel);
    viewer.prompts.draw(pen, view, study, index, pixel, viewer.layers.opacity);
    viewer.ruler.draw(pen, view, study, index, pixel);
    if (viewer.hand.cross) this.drawCross(viewer.hand.cross);
    else if (viewer.pointed) viewer.point();
    this.element.dataset.milliseconds = (performance.now() - begun).toFixed(2);
  }

  paintBase(frame) {
    const { viewer, drawn } = this, { tone, view, study, index } = viewer;
    const big = frame.width * frame.height > BIG;
    const level = big ? Math.max(0, Math.floor(Math.log2(1 / view.scale))) : 0;
    const ends = `${tone.name}/${tone.ends(frame)}/${tone.inverse}/${frame.slope}/${frame.intercept}`;
    const wanted = `${study.handle}/${index}/${level}/${ends}`;
    if (wanted === drawn) return;
    if (this.ends !== ends || frame.table) this.table = tableOf(frame, tone);
    this.ends = ends;
    paint(frame.smaller(level), this.table, this.base);
    this.drawn = wanted;
  }

  drawCross([x, y]) {
    const { pen, pixel, viewer } = this, [px, py] = viewer.view.toCanvas(x + 0.5, y + 0.5);
    for (const [colour, width] of [["#000000", 3], ["#7ff6ff", 1]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = width * pixel;
      pen.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        pen.moveTo(px + dx * 6 * pixel, py + dy * 6 * pixel);
        pen.lineTo(px + dx * 22 * pixel, py + dy * 22 * pixel);
      }
      pen.stroke();
    }
  }

  /** Where an event is, in device pixels of the canvas. */
  place(event) {
    const edge = this.element.getBoundingClientRect();
    return [(event.clientX - edge.left) * this.pixel, (event.clientY - edge.top) * this.pixel];
  }

  wheel(event) {
    const { viewer } = this;
    if (!viewer.study || viewer.planes.shown) return;
    event.preventDefault();
    const way = Math.sign(event.deltaY);
    if (viewer.study.frames > 1 && !event.ctrlKey) {
      // A trackpad sends many small steps, a wheel few large ones.
      this.rolled = Math.sign(this.rolled ?? 0) === way ? this.rolled : 0;
      this.rolled += event.deltaMode ? way * 40 : Math.max(-40, Math.min(40, event.deltaY));
      if (Math.abs(this.rolled) < 20) return;
      this.rolled = 0;
      viewer.step(way);
    } else {
      const lines = event.deltaMode ? event.deltaY * 16 : event.deltaY;
      viewer.zoom(Math.exp(-Math.max(-120, Math.min(120, lines)) * (event.ctrlKey ? 0.01 : 0.002)), this.place(event));
    }
  }

  down(event) {
    const { viewer } = this;
    if (!viewer.study || viewer.planes.shown) return;
    this.element.focus({ preventScroll: true });
    this.element.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.place(event));
    if (this.pointers.size === 2) {
      viewer.hand.drop();
      this.gesture = { kind: "pinch", ...this.spread() };
    } else if (this.pointers.size === 1) {
      const kind = event.button === 2 ? "window" : event.button === 1 ? "look" : viewer.tool;
      this.gesture = { kind, at: this.place(event) };
      if (event.button === 0) viewer.hand.press(this.place(event));
    }
  }

  move(event) {
    const { viewer, gesture } = this, at = this.place(event);
    if (!viewer.study || viewer.planes.shown) return;
    viewer.point(at);
    if (!this.pointers.has(event.pointerId) || !gesture) return;
    this.pointers.set(event.pointerId, at);
    if (gesture.kind === "pinch") {
      const now = this.spread();
      viewer.view.pan(now.middle[0] - gesture.middle[0], now.middle[1] - gesture.middle[1]);
      viewer.zoom(now.apart / gesture.apart, now.middle);
      Object.assign(gesture, now);
      return;
    }
    const [dx, dy] = [at[0] - gesture.at[0], at[1] - gesture.at[1]];
    gesture.at = at;
    if (gesture.kind === "look") viewer.pan(dx, dy);
    else if (gesture.kind === "window") viewer.dragWindow(dx / (200 * this.pixel), dy / (300 * this.pixel));
    else viewer.hand.pull(at);
  }

  up(event) {
    const had = this.pointers.delete(event.pointerId), { kind } = this.gesture ?? {};
    if (had && kind && kind !== "pinch" && event.button === 0) this.viewer.hand.release(this.place(event));
    if (!this.pointers.size) this.gesture = null;
  }

  cancel(event) {
    this.pointers.delete(event.pointerId);
    this.gesture = null;
    this.viewer.hand.drop();
  }

  leave() {
    this.viewer.point(null);
  }

  spread() {
    const [[ax, ay], [bx, by]] = [...this.pointers.values()];
    return { middle: [(ax + bx) / 2, (ay + by) / 2], apart: Math.max(1, Math.hypot(ax - bx, ay - by)) };
  }
}
