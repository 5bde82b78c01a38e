// What was found, laid over the image: masks, heat, doubt and boxes, each in the image's own size and on or off.

import { label } from "./ruler.js";

const KEPT = 24;
const DIM = 0.3;
const HOTTEST = 190; // the opacity of what is hottest

/** A grey picture as a canvas in one colour: a mask with its edge, heat and doubt by their strength. */
export function tinted(picture, colour, kind) {
  const canvas = document.createElement("canvas");
  const width = (canvas.width = picture.naturalWidth), height = (canvas.height = picture.naturalHeight);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const image = context.getImageData(0, 0, width, height), data = image.data;
  const strength = new Uint8Array(width * height);
  for (let at = 0; at < strength.length; at++) strength[at] = data[4 * at];
  for (let at = 0; at < strength.length; at++) {
    let alpha = strength[at];
    if (kind === "mask" && alpha) {
      const x = at % width;
      const inner = x > 0 && x < width - 1 && strength[at - 1] && strength[at + 1];
      alpha = inner && strength[at - width] && strength[at + width] ? 90 : 255;
    } else if (kind === "heatmap") {
      // Squared, so that what is lukewarm leaves the image to be seen.
      alpha *= (alpha / 255) * (HOTTEST / 255);
    }
    data.set([colour[0], colour[1], colour[2], alpha], 4 * at);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

export function loadPicture(url) {
  return new Promise((loaded, failed) => {
    const picture = new Image();
    picture.onload = () => loaded(picture);
    picture.onerror = () => failed(new Error("an overlay could not be loaded"));
    picture.src = url;
  });
}

export class Layers {
  /** `legend` is the list in the page; `changed()` is called when the image must be drawn anew; `goTo(frame)`. */
  constructor(legend, changed, goTo) {
    Object.assign(this, { legend, changed, goTo });
    Object.assign(this, { all: [], off: new Set(), seen: new Set(), tints: new Map(), opacity: 0.7, shown: true, lit: null });
  }

  /** All layers of all studies, as the server lists them. What is known already keeps its switch. */
  set(layers) {
    this.all = layers;
    for (const layer of layers) {
      if (!this.seen.has(layer.key) && !layer.shown) this.off.add(layer.key);
      this.seen.add(layer.key);
    }
    if (this.lit && !layers.some((layer) => this.lit.has(layer.key))) this.lit = null;
  }

  on(handle, frame) {
    return this.all.filter((layer) => layer.handle === handle && layer.frame === frame && !this.off.has(layer.key));
  }

  /** Light some layers up and dim the others; with null all are as bright. */
  light(keys) {
    this.lit = keys?.length ? new Set(keys) : null;
    if (this.lit) {
      this.shown = true;
      for (const key of keys) this.off.delete(key);
    }
  }

  tint(layer) {
    let tint = this.tints.get(layer.key);
    if (!tint) {
      tint = { canvas: null };
      this.tints.set(layer.key, tint);
      if (this.tints.size > KEPT) this.tints.delete(this.tints.keys().next().value);
      loadPicture(layer.href).then((picture) => {
        tint.canvas = tinted(picture, layer.colour, layer.kind);
        this.changed();
      }, () => this.tints.delete(layer.key));
    }
    return tint.canvas;
  }

  draw(pen, view, study, frame, pixel) {
    if (!this.shown) return;
    const [rows, columns] = study.size;
    const corner = view.toCanvas(0, 0), size = [columns * view.scale, rows * view.scale * view.aspect];
    for (const layer of this.on(study.handle, frame)) {
      const lit = this.lit?.has(layer.key);
      pen.globalAlpha = lit ? Math.max(this.opacity, 0.9) : this.opacity * (this.lit ? DIM : 1);
      if (layer.kind === "box") {
        outline(pen, view, layer, lit, pixel);
      } else {
        const canvas = this.tint(layer);
        if (canvas) pen.drawImage(canvas, ...corner, ...size);
      }
    }
    pen.globalAlpha = 1;
  }

  /** The list of what can be shown on a study, with a switch each. */
  list(study, frame) {
    const layers = this.all.filter((layer) => layer.handle === study?.handle);
    this.legend.replaceChildren(...layers.map((layer) => this.item(layer, study, frame)));
    this.legend.closest("[data-part=layers]").hidden = !layers.length;
  }

  item(layer, study, frame) {
    const item = document.createElement("li"), line = document.createElement("label");
    const box = document.createElement("input"), swatch = document.createElement("span");
    box.type = "checkbox";
    box.checked = !this.off.has(layer.key);
    box.addEventListener("change", () => {
      if (box.checked) this.off.delete(layer.key);
      else this.off.add(layer.key);
      this.changed();
    });
    swatch.className = `ov-swatch ov-swatch-${layer.kind}`;
    swatch.style.setProperty("--swatch", `rgb(${layer.colour.join(" ")})`);
    line.append(box, swatch, document.createTextNode(layer.title));
    item.append(line);
    item.classList.toggle("ov-lit", Boolean(this.lit?.has(layer.key)));
    if (layer.frame !== frame && study.frames > 1) {
      const go = document.createElement("button");
      go.type = "button";
      go.textContent = `slice ${layer.frame + 1}`;
      go.setAttribute("aria-label", `Go to slice ${layer.frame + 1}, where ${layer.title} is`);
      go.addEventListener("click", () => this.goTo(layer.frame));
      item.append(go);
    }
    return item;
  }
}

function outline(pen, view, layer, lit, pixel) {
  const [x0, y0, x1, y1] = layer.box;
  const [left, top] = view.toCanvas(x0, y0), [right, bottom] = view.toCanvas(x1, y1);
  for (const [colour, width] of [["#000000", lit ? 7 : 4], [`rgb(${layer.colour.join(" ")})`, lit ? 4 : 2]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = width * pixel;
    pen.strokeRect(left, top, right - left, bottom - top);
  }
  label(pen, layer.ref, left + 4 * pixel, top - 10 * pixel, pixel, `rgb(${layer.colour.join(" ")})`);
}
