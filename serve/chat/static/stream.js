// The stream of what changes in a conversation. When it breaks off, it is taken up again by itself.

import { call } from "./calls.js";

const SILENT_MS = 15000;

export class Stream {
  /** `heard` takes each message; `reached` is told whether the server is there, and what it says of itself. */
  constructor(heard, reached) {
    this.heard = heard;
    this.reached = reached;
    this.key = null;
    this.source = null;
    this.tries = 0;
  }

  open(key) {
    this.close();
    this.key = key;
    const source = new EventSource(`/page/${key}/stream`);
    this.source = source;
    source.onopen = () => {
      this.tries = 0;
      this.reached(true);
    };
    source.onmessage = (event) => {
      this.listen();
      const told = JSON.parse(event.data);
      this.heard(told);
    };
    source.addEventListener("deleted", () => this.again());
    source.onerror = () => this.again();
    this.listen();
  }

  close() {
    this.source?.close();
    this.source = null;
    clearTimeout(this.waiting);
    clearTimeout(this.silence);
  }

  /** A connection that is there and silent for long may be a dead one: look. */
  listen() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.look(), SILENT_MS);
  }

  async look() {
    try {
      await call("GET", "/page");
      this.listen();
    } catch {
      this.again();
    }
  }

  again() {
    if (!this.source && this.waiting) clearTimeout(this.waiting);
    this.close();
    const wait = this.tries === 0 ? 250 : Math.min(1000 * this.tries, 5000);
    this.waiting = setTimeout(() => this.retry(), wait);
  }

  async retry() {
    this.tries += 1;
    try {
      const state = await call("GET", "/page");
      this.tries = 0;
      this.reached(true, state);
    } catch (failure) {
      this.reached(false, null, failure);
      this.again();
    }
  }
}
