// Typing, as a messenger reports it: on with the first key, again every few seconds
// while keys come, off when they stop. What goes wrong is of no interest: a typing
// sign that got lost is worth nothing a moment later.

const REPEAT = 3000;
const PAUSE = 3000;

export class Typist {
  #on = false;
  #since = 0;
  #timer = 0;
  #report;

  /** report(on) is called; it may return a promise. */
  constructor(report) {
    this.#report = report;
  }

  typed(text) {
    clearTimeout(this.#timer);
    if (!text.trim()) return this.stop();
    if (!this.#on || Date.now() - this.#since > REPEAT) this.#tell(true);
    this.#timer = setTimeout(() => this.stop(), PAUSE);
  }

  stop() {
    clearTimeout(this.#timer);
    if (this.#on) this.#tell(false);
  }

  /** sent forgets that somebody typed: the message itself ended it. */
  sent() {
    clearTimeout(this.#timer);
    this.#on = false;
  }

  #tell(on) {
    this.#on = on;
    this.#since = Date.now();
    Promise.resolve(this.#report(on)).catch(() => {});
  }
}
