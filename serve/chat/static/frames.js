// The frames of opened studies: fetched around the one that is looked at, kept up to a bound, let go when not needed.

const LIMIT_BYTES = 256 * 1024 * 1024;
const AT_ONCE = 3;
const AHEAD = 24;
const BEHIND = 6;

/** One frame. Grey: `codes` Uint16 with value = code * slope + intercept. Colour: `rgb` Uint8, three a pixel. */
export class Frame {
  constructor(facts, buffer) {
    Object.assign(this, facts); // kind, width, height, slope, intercept, least, most, low, high, shape, inverted, curve
    const pixels = this.width * this.height;
    if (this.kind === "grey") {
      this.codes = new Uint16Array(buffer, 0, pixels);
      this.table = this.curve ? new Uint8Array(buffer, 2 * pixels, 65536) : null;
    } else {
      this.rgb = new Uint8Array(buffer, 0, 3 * pixels);
    }
    this.bytes = buffer.byteLength;
    this.levels = [];
  }

  /** The value of a pixel in the modality's unit, or [r, g, b]; null outside. */
  valueAt(x, y) {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return null;
    const at = y * this.width + x;
    if (this.codes) return this.codes[at] * this.slope + this.intercept;
    return [...this.rgb.subarray(3 * at, 3 * at + 3)];
  }

  /** This frame made smaller by 2 ** `level`, averaged: enough where it is shown smaller than it is. */
  smaller(level) {
    if (level <= 0) return this;
    this.levels[level] ??= halved(this.smaller(level - 1));
    return this.levels[level];
  }
}

function halved(frame) {
  const width = frame.width >> 1, height = frame.height >> 1, channels = frame.codes ? 1 : 3;
  const from = frame.codes ?? frame.rgb, row = frame.width * channels;
  const to = new from.constructor(width * height * channels);
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        const p = 2 * y * row + 2 * x * channels + c;
        to[at++] = (from[p] + from[p + channels] + from[p + row] + from[p + row + channels] + 2) >> 2;
      }
    }
  }
  const half = Object.create(frame);
  Object.assign(half, { width, height, levels: [] }, frame.codes ? { codes: to } : { rgb: to });
  return half;
}

export class FrameStore {
  /** `urlOf(handle, n)` is where a frame is fetched; `arrived(handle, n)` and `failed(handle, n, words)` are told. */
  constructor(urlOf, arrived, failed, limit = LIMIT_BYTES) {
    Object.assign(this, { urlOf, arrived, failed, limit });
    this.kept = new Map();
    this.held = 0;
    this.flying = new Map();
    this.queue = [];
  }

  /** The frame if it is here. */
  peek(handle, n) {
    const key = `${handle}/${n}`, frame = this.kept.get(key);
    if (frame) {
      this.kept.delete(key); // the last looked at goes last
      this.kept.set(key, frame);
    }
    return frame;
  }

  /** Look at frame `n` of `count`, having come from `direction`: it first, then those that will be wanted next. */
  want(handle, n, count, direction = 1) {
    const wanted = this.order(n, count, direction).map((index) => `${handle}/${index}`);
    for (const [key, control] of this.flying) if (!wanted.includes(key)) control.abort();
    this.queue = wanted.filter((key) => !this.kept.has(key));
    const first = this.queue[0];
    if (first === `${handle}/${n}` && !this.flying.has(first) && this.flying.size >= AT_ONCE) {
      const last = wanted.findLast((key) => this.flying.has(key));
      this.flying.get(last)?.abort(); // what was fetched for later makes room for what is wanted now
      this.flying.delete(last);
    }
    this.pump();
  }

  /** Frames in the order to fetch them: ahead before behind, and from near to far as many as can be kept. */
  order(n, count, direction) {
    const order = [n];
    const room = this.bytes ? Math.floor(this.limit / this.bytes) - 1 : AHEAD + BEHIND;
    for (let ahead = 1, behind = 1; order.length < Math.min(room, count) && ahead + behind <= 2 * count; ) {
      // Until AHEAD are thought of, four are ahead for one behind.
      const forth = ahead <= AHEAD ? ahead <= 4 * behind : ahead <= behind;
      const index = forth ? n + direction * ahead++ : n - direction * behind++;
      if (index >= 0 && index < count) order.push(index);
    }
    return order;
  }

  pump() {
    while (this.flying.size < AT_ONCE && this.queue.length) {
      const key = this.queue.shift();
      if (!this.kept.has(key) && !this.flying.has(key)) this.fetch(key);
    }
  }

  async fetch(key) {
    const cut = key.lastIndexOf("/"), handle = key.slice(0, cut), n = Number(key.slice(cut + 1));
    const control = new AbortController();
    this.flying.set(key, control);
    try {
      const answer = await fetch(this.urlOf(handle, n), { signal: control.signal });
      if (!answer.ok) throw new Error(await words(answer));
      const facts = JSON.parse(answer.headers.get("X-Frame"));
      this.keep(key, new Frame(facts, await answer.arrayBuffer()));
      this.arrived(handle, n);
    } catch (error) {
      if (error.name !== "AbortError") this.failed(handle, n, error.message);
    } finally {
      if (this.flying.get(key) === control) this.flying.delete(key);
      this.pump();
    }
  }

  keep(key, frame) {
    this.bytes = frame.bytes;
    this.kept.set(key, frame);
    this.held += frame.bytes;
    for (const [oldest, old] of this.kept) {
      if (this.held <= this.limit || oldest === key) break;
      this.kept.delete(oldest);
      this.held -= old.bytes;
    }
  }

  /** Forget everything but the studies named. */
  only(handles) {
    for (const [key, frame] of this.kept) {
      if (handles.includes(key.slice(0, key.lastIndexOf("/")))) continue;
      this.kept.delete(key);
      this.held -= frame.bytes;
    }
  }
}

/** What an answer that is no frame says, in words. */
export async function words(answer) {
  const body = await answer.json().catch(() => null);
  const said = body?.error?.message ?? body?.detail;
  return typeof said === "string" ? said : `the server answered ${answer.status}`;
}
