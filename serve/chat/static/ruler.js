// Lengths drawn by hand, in mm where the study states a spacing.

/** How long a line is: a number, and the unit it is in. `spacing` is [row, column] in mm, or null. */
export function lengthOf([x0, y0], [x1, y1], spacing) {
  const [row, column] = spacing ?? [1, 1];
  return [Math.hypot((x1 - x0) * column, (y1 - y0) * row), spacing ? "mm" : "px"];
}

/** A length in words. Without a spacing it says why it is in pixels. */
export function lengthWords(from, to, spacing) {
  const [length, unit] = lengthOf(from, to, spacing);
  const said = `${length < 10 ? length.toFixed(2) : length.toFixed(1)} ${unit}`;
  return spacing ? said : `${said} (no spacing known)`;
}

export class Ruler {
  constructor() {
    this.lines = [];
    this.started = null;
  }

  start(handle, frame, place) {
    this.started = { handle, frame, from: place, to: place };
  }

  move(place) {
    if (this.started) this.started.to = place;
  }

  /** Keep the line that was begun, if it has a length; the line or null. */
  finish() {
    const line = this.started;
    this.started = null;
    if (!line || (line.from[0] === line.to[0] && line.from[1] === line.to[1])) return null;
    this.lines.push(line);
    return line;
  }

  cancel() {
    this.started = null;
  }

  clear(handle, frame) {
    this.lines = this.lines.filter((line) => line.handle !== handle || line.frame !== frame);
    this.started = null;
  }

  of(handle, frame) {
    const all = this.started ? [...this.lines, this.started] : this.lines;
    return all.filter((line) => line.handle === handle && line.frame === frame);
  }

  draw(pen, view, study, frame, pixel) {
    for (const line of this.of(study.handle, frame)) {
      const from = view.toCanvas(...line.from), to = view.toCanvas(...line.to);
      for (const [colour, width] of [["#000000", 4], ["#ffe14d", 2]]) {
        pen.strokeStyle = colour;
        pen.lineWidth = width * pixel;
        pen.beginPath();
        pen.moveTo(...from);
        pen.lineTo(...to);
        for (const end of [from, to]) {
          pen.moveTo(end[0] + 4 * pixel, end[1]);
          pen.arc(end[0], end[1], 4 * pixel, 0, 2 * Math.PI);
        }
        pen.stroke();
      }
      const right = from[0] > to[0] ? from : to;
      label(pen, lengthWords(line.from, line.to, study.spacing_mm), right[0] + 8 * pixel, right[1], pixel, "#ffe14d");
    }
  }
}

/** Words on the image that can be read on light and on dark, kept on the canvas. */
export function label(pen, text, x, y, pixel, colour = "#ffffff") {
  pen.font = `600 ${13 * pixel}px system-ui, sans-serif`;
  pen.textBaseline = "middle";
  const left = Math.max(4 * pixel, Math.min(x, pen.canvas.width - pen.measureText(text).width - 6 * pixel));
  const top = Math.max(10 * pixel, Math.min(y, pen.canvas.height - 10 * pixel));
  pen.lineWidth = 4 * pixel;
  pen.lineJoin = "round";
  pen.strokeStyle = "#000000";
  pen.strokeText(text, left, top);
  pen.fillStyle = colour;
  pen.fillText(text, left, top);
}
