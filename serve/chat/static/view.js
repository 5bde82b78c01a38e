// Where the image lies on the canvas. Canvas coordinates are device pixels; image coordinates are stored pixels, from
// the top left corner of the first. `aspect` is a pixel's height by its width.

const MOST = 64;

export class View {
  constructor() {
    Object.assign(this, { scale: 1, x: 0, y: 0, width: 1, height: 1, aspect: 1, across: 1, down: 1, fitted: true });
  }

  /** The image's size, and how much higher than wide a pixel is. */
  setImage(across, down, aspect) {
    Object.assign(this, { across, down, aspect });
    this.fit();
  }

  setCanvas(width, height) {
    const middle = this.toImage(this.width / 2, this.height / 2);
    Object.assign(this, { width, height });
    if (this.fitted) this.fit();
    else this.centre(middle);
  }

  fitScale() {
    return Math.min(this.width / this.across, this.height / (this.down * this.aspect));
  }

  fit() {
    this.scale = this.fitScale();
    this.fitted = true;
    this.centre([this.across / 2, this.down / 2]);
  }

  /** One stored pixel is one pixel of the screen. */
  oneToOne() {
    this.zoom(1 / this.scale, this.width / 2, this.height / 2);
  }

  centre([x, y]) {
    this.x = this.width / 2 - x * this.scale;
    this.y = this.height / 2 - y * this.scale * this.aspect;
  }

  /** Zoom by a factor, keeping what is at a place on the canvas where it is. */
  zoom(factor, px, py) {
    const [x, y] = this.toImage(px, py);
    const least = Math.min(this.fitScale(), 1) / 2;
    this.scale = Math.min(MOST, Math.max(least, this.scale * factor));
    this.fitted = false;
    this.x = px - x * this.scale;
    this.y = py - y * this.scale * this.aspect;
    this.hold();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
    this.hold();
  }

  /** The middle of the canvas never leaves the image. */
  hold() {
    const right = this.across * this.scale, below = this.down * this.scale * this.aspect;
    this.x = Math.min(this.width / 2, Math.max(this.width / 2 - right, this.x));
    this.y = Math.min(this.height / 2, Math.max(this.height / 2 - below, this.y));
  }

  /** Pan so that a place in the image is to be seen. */
  reveal(x, y, margin = 24) {
    const [px, py] = this.toCanvas(x, y);
    const dx = px < margin ? margin - px : px > this.width - margin ? this.width - margin - px : 0;
    const dy = py < margin ? margin - py : py > this.height - margin ? this.height - margin - py : 0;
    if (dx || dy) this.pan(dx, dy);
  }

  toImage(px, py) {
    return [(px - this.x) / this.scale, (py - this.y) / (this.scale * this.aspect)];
  }

  toCanvas(x, y) {
    return [this.x + x * this.scale, this.y + y * this.scale * this.aspect];
  }

  /** The pixel at a place in the image, kept inside it. */
  pixel([x, y]) {
    const inside = (at, most) => Math.min(most - 1, Math.max(0, Math.floor(at)));
    return [inside(x, this.across), inside(y, this.down)];
  }

  /** The nearest corner of pixels to a place in the image, kept on it: edges of half-open boxes. */
  corner([x, y]) {
    return [Math.min(this.across, Math.max(0, Math.round(x))), Math.min(this.down, Math.max(0, Math.round(y)))];
  }
}
