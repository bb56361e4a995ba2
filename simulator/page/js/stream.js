// What happens, as it happens: one connection of Server-Sent Events, which comes
// back by itself. Every connection begins with "hello"; listeners read their lists
// again then.

const NAMES = ["hello", "wire", "conversation", "phone", "settings", "faults", "reset", "lost"];

export class Stream {
  #listeners = new Map();
  #source = null;
  #retry = 0;

  constructor(path) {
    this.path = path;
  }

  /** on calls f with the data of every event of that name; "state" tells live or waiting. */
  on(name, f) {
    if (!this.#listeners.has(name)) this.#listeners.set(name, []);
    this.#listeners.get(name).push(f);
    return this;
  }

  #tell(name, data) {
    for (const f of this.#listeners.get(name) ?? []) f(data);
  }

  open() {
    this.#source?.close();
    const source = new EventSource(this.path);
    this.#source = source;
    for (const name of NAMES) {
      source.addEventListener(name, (e) => {
        if (source !== this.#source) return;
        if (name === "hello") {
          this.#retry = 0;
          this.#tell("state", "live");
        }
        this.#tell(name, JSON.parse(e.data));
      });
    }
    source.onerror = () => {
      if (source !== this.#source) return;
      this.#tell("state", "waiting");
      // The browser tries again by itself, unless it got an answer it did not like.
      if (source.readyState !== EventSource.CLOSED) return;
      this.#retry = Math.min(this.#retry + 1, 5);
      setTimeout(() => source === this.#source && this.open(), this.#retry * 1000);
    };
  }
}
