// The wire: what went between the channel, Parley and the Conversational Cloud.

import { get } from "./api.js";
import { byId, h, icon, keyed, nextFrame, pin, set, sticky, toEnd, write } from "./dom.js";
import { title } from "./desk-list.js";
import { WireDetail } from "./wire-detail.js";
import { makeRow, markChosen, side } from "./wire-row.js";
import { shortId } from "./words.js";

const MOST = 400; // rows that are kept

export class Wire {
  #entries = [];
  #waiting = []; // while paused
  #paused = false;
  #filter = "";
  #cleared = 0; // entries up to this one are not shown
  #desk;
  #detail;
  #loaded = false;

  constructor(stream, desk) {
    this.#desk = desk;
    this.#detail = new WireDetail((id) => {
      this.#draw();
      document.querySelector(`.row[data-id="${Number(id)}"]`)?.focus({ preventScroll: true });
    });
    this.#wire();
    desk.watch(() => this.#drawFilter());
    stream.on("hello", () => this.#load());
    stream.on("lost", () => this.#load());
    stream.on("wire", (e) => this.#came(e));
    stream.on("reset", () => {
      this.#entries = [];
      this.#waiting = [];
      this.#draw();
    });
  }

  #wire() {
    pin(byId("wire-body"));
    byId("wire-pause").addEventListener("click", () => this.#pause(!this.#paused));
    byId("wire-clear").addEventListener("click", () => {
      this.#cleared = Math.max(this.#cleared, ...[...this.#entries, ...this.#waiting].map((e) => e.id));
      this.#entries = [];
      this.#waiting = [];
      this.#draw();
    });
    byId("wire-filter").addEventListener("change", (e) => {
      this.#filter = e.target.value;
      this.#draw();
    });
    byId("wire-list").addEventListener("keydown", (e) => {
      const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[e.key];
      const next = step && document.activeElement.closest("li")?.[step];
      if (!next) return;
      e.preventDefault();
      next.firstChild.focus();
    });
    this.#pause(false);
  }

  async #load() {
    try {
      const { entries } = await get("/sim/wire?bodies=1&limit=" + MOST);
      this.#loaded = true;
      this.#entries = [];
      for (const e of entries.reverse()) this.#keep(e);
      this.#draw();
      toEnd(byId("wire-body"));
    } catch {
      // The header already says that the simulator does not answer.
    }
  }

  #keep(e) {
    if (e.id <= this.#cleared || this.#entries.some((x) => x.id === e.id)) return;
    // Only what the filter needs of the bodies stays; the detail asks for them again.
    e.words = side(e) === "channel" ? plain(e.request?.body) + " " + plain(e.path) : "";
    delete e.request;
    delete e.response;
    this.#entries.push(e);
    if (this.#entries.length > MOST) this.#entries.shift();
  }

  #came(e) {
    if (this.#paused) {
      this.#waiting.push(e);
      if (this.#waiting.length > MOST) this.#waiting.shift();
      this.#drawPause();
      return;
    }
    this.#keep(e);
    this.#drawSoon();
  }

  #drawSoon = nextFrame(() => this.#draw());

  #pause(on) {
    this.#paused = on;
    if (!on) {
      this.#waiting.forEach((e) => this.#keep(e));
      this.#waiting = [];
      this.#draw();
    }
    this.#drawPause();
  }

  #drawPause() {
    const button = byId("wire-pause");
    const news = this.#waiting.length;
    const label = this.#paused ? `Go on${news ? `, ${news} new` : ""}` : "Pause the wire";
    set(button, { "aria-pressed": String(this.#paused), "aria-label": label, title: label, class: this.#paused ? "button paused" : "button quiet square" });
    button.replaceChildren(icon(this.#paused ? "play" : "pause"), ...(this.#paused ? [h("span", { class: "tabular" }, news ? `${news} new` : "Paused")] : []));
  }

  #drawFilter() {
    const list = this.#desk.conversations().sort((a, b) => b.startedAt.localeCompare(a.startedAt)).slice(0, 50);
    const select = byId("wire-filter");
    const options = [{ id: "", text: "All conversations" }, ...list.map((c) => ({ id: c.id, text: `${title(c)} · ${shortId(c.id)}` }))];
    keyed(select, options, (o) => o.id || "all", () => h("option"), (el, o) => {
      set(el, { value: o.id });
      write(el, o.text);
    });
    if (!options.some((o) => o.id === this.#filter)) {
      this.#filter = "";
      this.#draw();
    }
    if (select.value !== this.#filter) select.value = this.#filter;
  }

  /** Requests at the channel's side know no conversation; they name its consumer. */
  #belongs = (e) => {
    if (!this.#filter || e.conversation === this.#filter) return true;
    const conversation = this.#desk.conversations().find((c) => c.id === this.#filter);
    const phone = conversation && this.#desk.phoneOf(conversation);
    return Boolean(phone) && side(e) === "channel" && e.channel === phone.channel && e.words.includes(phone.consumer);
  };

  #draw() {
    // In the order they were begun: a request may cause others before it is answered.
    const shown = this.#entries.filter(this.#belongs).sort((a, b) => a.at.localeCompare(b.at) || a.id - b.id);
    const chosen = this.#detail?.shown();
    sticky(byId("wire-body"), () => {
      set(byId("wire-empty"), { hidden: !this.#loaded || shown.length > 0 });
      set(byId("wire-list"), { hidden: shown.length === 0 });
      keyed(byId("wire-list"), shown, (e) => e.id, (e) => makeRow(e, (id) => this.#open(id)), (li, e) => markChosen(li, e.id === chosen));
    });
  }

  #open(id) {
    this.#detail.open(id).then(() => this.#draw());
  }
}

/** plain undoes percent-encoding, so that a number is found in a form. */
function plain(text = "") {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}
