// The switches for faults, and the warning while one is on.

import { get, patch, post, put } from "./api.js";
import { byId, h, later, set, write } from "./dom.js";
import { menu } from "./menu.js";

const PLACES = [
  { class: "send", title: "Cloud", needs: null },
  { class: "twilio", title: "SMS", needs: "twilio" },
  { class: "http", title: "Web chat", needs: "http" },
];

const ACTS = [
  { do: "throttle", id: "throttle", title: "429 Too many requests", note: "asks to wait 2 s", rule: { retryAfter: 2 } },
  { do: "fail-before", id: "fail-before", title: "503, nothing done", note: "fails before it takes effect", rule: { status: 503 } },
  { do: "fail-after", id: "fail-after", title: "503, but done", note: "takes effect, then fails", rule: { status: 503 } },
  { do: "delay", id: "delay", title: "Slow answers", note: "after 2 s", rule: { delayMs: 2000 } },
];

const HOOKS = [
  { id: "duplicate", title: "Duplicated", note: "each is sent twice", on: { duplicate: 1 }, off: { duplicate: 0 }, is: (w) => w.duplicate > 0 },
  { id: "shuffle", title: "Shuffled", note: "out of order, within 1.5 s", on: { shuffleMs: 1500 }, off: { shuffleMs: 0 }, is: (w) => w.shuffleMs > 0 },
  { id: "lose", title: "Lost", note: "one in three never arrives", on: { lose: 0.34 }, off: { lose: 0, loseCount: 0 }, is: (w) => w.lose > 0 || w.loseCount > 0 },
  { id: "hold", title: "Held back", note: "they wait, and come as a burst", on: { hold: true }, off: { hold: false }, is: (w) => w.hold },
];

const OFTEN = [
  { id: "always", title: "every request", rule: { probability: 1, count: 0 } },
  { id: "third", title: "one request in three", rule: { probability: 0.34, count: 0 } },
  { id: "once", title: "the next request only", rule: { probability: 1, count: 1 } },
];

export class Faults {
  #now = { rules: [], webhooks: {} };
  #kinds = [];
  #switches = [];
  #often = OFTEN[0];
  #last = Promise.resolve();
  #pending = 0; // changes that are not answered yet

  constructor(stream) {
    menu(byId("faults-open"), byId("faults-panel"));
    byId("faults-off").addEventListener("click", () => this.#do(() => put("/sim/faults", {})));
    stream.on("hello", (state) => {
      const kinds = state.channels.map((c) => c.kind);
      if (String(kinds) !== String(this.#kinds) || this.#switches.length === 0) this.#build(kinds);
      this.#show(state.faults);
    });
    stream.on("faults", (f) => this.#show(f));
    stream.on("reset", () => this.#show({ rules: [], webhooks: {} }));
    stream.on("wire", (e) => e.fault && this.#recount());
    stream.on("conversation", () => this.#now.webhooks.loseCount > 0 && this.#recount());
  }

  /** Rules that count down change without being told on the stream. */
  #recount = later(300, () => get("/sim/faults").then((f) => this.#show(f)).catch(() => {}));

  #build(kinds) {
    this.#kinds = kinds;
    this.#switches = [];
    const places = PLACES.filter((p) => !p.needs || kinds.includes(p.needs));
    const often = h("select", { class: "select", "aria-label": "How often", "data-testid": "fault-often", onchange: (e) => (this.#often = OFTEN[e.target.selectedIndex]) },
      ...OFTEN.map((o) => h("option", { value: o.id }, o.title)));
    const head = h("tr", {}, h("th", { scope: "col" }, "Parley’s requests to"), ...places.map((p) => h("th", { scope: "col" }, p.title)));
    const rows = ACTS.map((a) => h("tr", {}, named(a), ...places.map((p) => h("td", {}, this.#box(`fault-${a.id}-${p.class}`, `${a.title}: ${p.title}`, () => this.#rule(a, p), (on) => this.#setRule(a, p, on))))));
    const hooks = HOOKS.map((x) => h("tr", {}, named(x), h("td", {}, this.#box("fault-webhooks-" + x.id, "Webhooks " + x.title.toLowerCase(), () => x.is(this.#now.webhooks), (on) => patch("/sim/faults", { webhooks: on ? x.on : x.off })))));
    const expired = h("span", { class: "muted", role: "status" });
    byId("faults-panel").replaceChildren(
      h("p", { class: "faults-intro" }, "What goes wrong here goes wrong for Parley only. Nothing should get lost, doubled or out of order."),
      h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows)),
      h("label", { class: "faults-often" }, "New switches apply to ", often),
      h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "The cloud’s webhooks to Parley"), h("th", {}))), h("tbody", {}, ...hooks)),
      h("div", { class: "faults-foot" },
        h("button", {
          class: "button small", type: "button", "data-testid": "fault-expire-token",
          onclick: () => this.#do(() => post("/sim/expire-tokens", {}).then(() => write(expired, "Expired; Parley needs a new one."))),
        }, "Expire token now"), expired),
      h("p", { class: "inline-error", id: "faults-error", role: "alert", hidden: true }));
  }

  #box(testid, label, isOn, change) {
    const box = h("input", { type: "checkbox", class: "switch", role: "switch", "data-testid": testid, "aria-label": label });
    box.addEventListener("change", () => {
      const on = box.checked;
      this.#do(() => change(on));
    });
    this.#switches.push(() => set(box, { checked: Boolean(isOn()) }));
    return box;
  }

  #rule(act, place) {
    return this.#now.rules.find((r) => r.class === place.class && r.do === act.do && !used(r));
  }

  #setRule(act, place, on) {
    const others = this.#now.rules.filter((r) => !used(r) && !(r.class === place.class && r.do === act.do));
    const rule = { class: place.class, do: act.do, ...act.rule, ...this.#often.rule };
    // A delay lets the next rules have their say, so it comes first.
    const rules = !on ? others : act.do === "delay" ? [rule, ...others] : [...others, rule];
    return patch("/sim/faults", { rules });
  }

  /** One change after the other: each begins with what the one before it left. */
  #do(f) {
    this.#pending++;
    this.#last = this.#last.then(() => this.#attempt(f));
  }

  async #attempt(f) {
    const box = byId("faults-error");
    try {
      const now = await f();
      this.#pending--;
      if (now?.rules) this.#show(now);
      set(box, { hidden: true });
    } catch (err) {
      this.#pending--;
      write(box, err.message);
      set(box, { hidden: false });
      this.#show(this.#now);
    }
  }

  #show(faults) {
    this.#now = faults;
    // A switch that was just moved is not moved back by what was true before.
    if (this.#pending === 0) for (const refresh of this.#switches) refresh();
    const active = describe(faults);
    set(byId("faults-banner"), { hidden: active.length === 0 });
    write(byId("faults-text"), active.join(" · "));
    set(byId("faults-count"), { hidden: active.length === 0 });
    write(byId("faults-count"), active.length ? String(active.length) : "");
    byId("faults-open").classList.toggle("active", active.length > 0);
  }
}

const used = (r) => r.count > 0 && r.hits >= r.count;

const named = (x) => h("th", { scope: "row" }, h("span", {}, x.title), h("small", {}, x.note));

/** describe says in words what is on. */
function describe(faults) {
  const rules = faults.rules.filter((r) => !used(r)).map((r) => {
    const place = PLACES.find((p) => p.class === r.class)?.title ?? (r.class || "All");
    const act = ACTS.find((a) => a.do === r.do)?.title ?? r.do;
    const share = r.probability > 0 && r.probability < 1 ? `, ${Math.round(r.probability * 100)} %` : "";
    const left = r.count > 0 ? `, ${r.count - r.hits} more` : "";
    return `${place}: ${act}${share}${left}`;
  });
  const w = faults.webhooks;
  const hooks = HOOKS.filter((x) => x.is(w)).map((x) => "Webhooks " + x.title.toLowerCase());
  if (w.early) hooks.push("Webhooks early");
  if (w.delayMs > 0) hooks.push("Webhooks delayed");
  if (w.echoes === false) hooks.push("No echoes");
  return [...rules, ...hooks];
}
