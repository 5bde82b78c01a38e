// Grey values to brightness: the window that is chosen, and the picture it makes. Values as in tools/imaging/window.py.

const OPAQUE = 0xff000000;

/** How grey values are shown. `name` is "stored", "full", a preset's or "own"; only the last two use low and high. */
export class ToneSetting {
  constructor() {
    Object.assign(this, { name: "stored", low: 0, high: 1, inverse: false });
  }

  /** The ends of what is shown of a frame, in values. */
  ends(frame) {
    if (frame.rgb) return this.name === "own" ? [this.low, this.high] : [0, 255];
    if (this.name === "stored") return [frame.low, frame.high];
    if (this.name === "full") return [frame.least, frame.most];
    return [this.low, this.high];
  }

  choose(name, low = 0, high = 1) {
    Object.assign(this, { name, low, high });
  }

  /** Move the level and stretch the width, both in parts of the present width. */
  drag(frame, widen, lift) {
    const [low, high] = this.ends(frame);
    const least = frame.rgb ? 2 : Math.max(Math.abs(frame.slope), 1e-9);
    const width = Math.max((high - low) * Math.exp(widen), least);
    const level = (low + high) / 2 + lift * (high - low);
    this.choose("own", level - width / 2, level + width / 2);
  }
}

/** For each code of a frame its grey as a whole RGBA pixel: Uint32Array (65536), or (256) for colour. */
export function tableOf(frame, setting) {
  const codes = frame.codes ? 65536 : 256, table = new Uint32Array(codes);
  const flip = setting.inverse !== Boolean(frame.inverted && frame.codes);
  const grey = (code, bright) => {
    const level = Math.min(255, Math.max(0, Math.floor((flip ? 1 - bright : bright) * 255 + 0.5)));
    table[code] = OPAQUE | (level << 16) | (level << 8) | level;
  };
  if (frame.table && setting.name === "stored") {
    // The file's own curve, with its inversion already in it.
    for (let code = 0; code < codes; code++) {
      const level = setting.inverse ? 255 - frame.table[code] : frame.table[code];
      table[code] = OPAQUE | (level << 16) | (level << 8) | level;
    }
    return table;
  }
  const [low, high] = setting.ends(frame), width = high - low;
  const slope = frame.codes ? frame.slope : 1, intercept = frame.codes ? frame.intercept : 0;
  const sigmoid = frame.shape === "SIGMOID" && setting.name === "stored";
  for (let code = 0; code < codes; code++) {
    const value = code * slope + intercept;
    if (sigmoid) grey(code, 1 / (1 + Math.exp((-4 * (value - (low + high) / 2)) / width)));
    else grey(code, width > 0 ? (value - low) / width : Number(value > low));
  }
  return table;
}

/** Paint a frame through a table onto a canvas of its size. */
export function paint(frame, table, canvas) {
  if (canvas.width !== frame.width || canvas.height !== frame.height) {
    canvas.width = frame.width;
    canvas.height = frame.height;
  }
  const context = canvas.getContext("2d", { alpha: false });
  const image = context.createImageData(frame.width, frame.height);
  const out = new Uint32Array(image.data.buffer);
  if (frame.codes) {
    for (let at = 0; at < out.length; at++) out[at] = table[frame.codes[at]];
  } else {
    for (let at = 0, from = 0; at < out.length; at++, from += 3) {
      const red = table[frame.rgb[from]] & 255, green = table[frame.rgb[from + 1]] & 255;
      out[at] = OPAQUE | ((table[frame.rgb[from + 2]] & 255) << 16) | (green << 8) | red;
    }
  }
  context.putImageData(image, 0, 0);
}
