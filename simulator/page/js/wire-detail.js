// One request in full: who called whom, headers, bodies, answer.

import { get } from "./api.js";
import { body, contentType, headers } from "./bodies.js";
import { byId, h, icon, set } from "./dom.js";
import { headline, route, tone } from "./wire-row.js";
import { millis, took } from "./words.js";

export class WireDetail {
  #box = byId("wire-detail");
  #shown = 0;
  #onclose;

  constructor(onclose) {
    this.#onclose = onclose;
    this.#box.addEventListener("keydown", (e) => e.key === "Escape" && this.close());
  }

  shown() {
    return this.#shown;
  }

  close() {
    const was = this.#shown;
    this.#shown = 0;
    set(this.#box, { hidden: true });
    this.#onclose(was);
  }

  async open(id) {
    if (id === this.#shown) return this.close();
    this.#shown = id;
    let entry;
    try {
      entry = await get("/sim/wire/" + id);
    } catch (err) {
      entry = null;
      this.#fill(h("p", { class: "muted pad" }, err.status === 404 ? "This request is no longer kept." : err.message));
    }
    if (this.#shown !== id) return;
    if (entry) this.#fill(...view(entry));
    set(this.#box, { hidden: false });
    this.#box.scrollTop = 0;
    byId("wire-detail-close").focus({ preventScroll: true });
  }

  #fill(...parts) {
    const close = h("button", {
      class: "button quiet square", id: "wire-detail-close", type: "button", "data-testid": "wire-detail-close", "aria-label": "Close the request", onclick: () => this.close(),
    }, icon("x"));
    this.#box.replaceChildren(close, ...parts);
  }
}

function view(e) {
  const [from, to] = route(e);
  const notes = [
    e.rejected && ["Refused", e.rejected], e.fault && ["Fault", e.fault], e.error && ["Error", e.error],
    ...(e.warnings ?? []).map((w) => ["Warning", w]),
  ].filter(Boolean);
  return [
    h("div", { class: "detail-head" },
      h("p", { class: "detail-route" }, from, " → ", to, h("span", { class: "muted" }, ` · ${millis(e.at)}`)),
      h("h3", {}, headline(e)),
      h("p", { class: "detail-line" }, h("span", { class: "method" }, e.method), " ", e.path)),
    ...notes.map(([name, text]) => h("p", { class: "detail-note" }, h("b", {}, name), " ", text)),
    part("Request", "wire-request", e.request, null),
    part("Answer", "wire-response", e.response, h("span", { class: "status " + tone(e) }, e.status ? String(e.status) : "none"), took(e.ms)),
  ];
}

function part(name, testid, half, status, time) {
  const map = half?.headers ?? {};
  const head = headers(map);
  head.dataset.testid = testid === "wire-request" ? "wire-headers" : "wire-answer-headers";
  return h("section", { class: "detail-part", "data-testid": testid, "aria-label": name },
    h("h4", {}, name, " ", status, time && h("span", { class: "muted" }, time)), head, body(half?.body, contentType(map)));
}
