// The picker of cards: samples, the JSON an agent's client would send, and how it
// looks. The simulator checks the JSON as LivePerson does.

import { get, Refused } from "./api.js";
import { blockViews, fromCard, quickOf } from "./blocks.js";
import { h, icon, set, write } from "./dom.js";

const own = { name: "Your own", note: "Write or paste JSON", content: { type: "vertical", elements: [{ type: "text", text: "Hello" }, { type: "button", title: "Hi", click: { actions: [{ type: "publishText", text: "Hi" }] } }] } };

export class Cards {
  #send;
  #samples = [];
  #p;

  /** send(card) sends { content, quickReplies, metadata }; it throws why not. */
  constructor(send) {
    this.#send = send;
  }

  async open() {
    this.#p ??= this.#build();
    if (this.#samples.length === 0) {
      try {
        this.#samples = [...(await get("cards.json")), own];
      } catch (err) {
        this.#samples = [own];
        this.#complain(err.message);
      }
      this.#list();
    }
    this.#p.dialog.showModal();
    this.#p.list.querySelector("[aria-pressed=true]")?.focus();
  }

  #build() {
    const p = {
      dialog: h("dialog", { class: "cards", "data-testid": "cards-dialog", "aria-labelledby": "cards-title" }),
      list: h("div", { class: "cards-list", role: "group", "aria-label": "Samples" }),
      json: h("textarea", { class: "cards-json", "data-testid": "cards-json", spellcheck: "false", "aria-label": "Structured content, as JSON", "aria-describedby": "cards-error" }),
      view: h("div", { class: "cards-view", "data-testid": "cards-preview", "aria-label": "Preview", role: "img" }),
      error: h("p", { class: "cards-error", id: "cards-error", "data-testid": "cards-error", role: "alert" }),
      send: h("button", { class: "button primary", type: "button", "data-testid": "cards-send" }, "Send card"),
    };
    const close = () => p.dialog.close();
    p.dialog.append(
      h("div", { class: "cards-head" }, h("h2", { id: "cards-title" }, "Send a card"), h("button", { class: "button quiet square", type: "button", "aria-label": "Close", onclick: close }, icon("x"))),
      h("div", { class: "cards-body" }, p.list,
        h("div", { class: "cards-edit" }, h("p", { class: "cards-label" }, "Structured content"), p.json),
        h("div", { class: "cards-side" }, h("p", { class: "cards-label" }, "Preview"), p.view)),
      h("div", { class: "cards-foot" }, p.error, h("button", { class: "button", type: "button", onclick: close }, "Cancel"), p.send));
    p.json.addEventListener("input", () => this.#preview());
    p.json.addEventListener("keydown", (e) => {
      if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) this.#submit();
    });
    p.dialog.addEventListener("click", (e) => e.target === p.dialog && close());
    p.send.addEventListener("click", () => this.#submit());
    document.body.append(p.dialog);
    return p;
  }

  #list() {
    this.#p.list.replaceChildren(...this.#samples.map((s, i) => h("button", {
      class: "cards-sample", type: "button", "aria-pressed": "false", "data-testid": "cards-sample-" + i, onclick: () => this.#choose(i),
    }, h("b", {}, s.name), h("small", {}, s.note))));
    this.#choose(0);
  }

  #choose(i) {
    [...this.#p.list.children].forEach((b, n) => set(b, { "aria-pressed": String(n === i) }));
    const { content, quickReplies } = this.#samples[i];
    set(this.#p.json, { value: JSON.stringify(quickReplies ? { content, quickReplies } : content, null, 2) });
    this.#p.json.scrollTop = 0;
    this.#preview();
  }

  /** read takes the content alone, or an object that holds it with what goes along. */
  #read() {
    const v = JSON.parse(this.#p.json.value);
    return v && typeof v === "object" && !v.type && v.content ? v : { content: v };
  }

  #preview() {
    try {
      const card = this.#read();
      const blocks = fromCard(card.content);
      const chip = (c) => h("span", { class: c.many ? "check" : "choice" }, c.many && h("span", { class: "check-box" }), c.title);
      const quick = quickOf(card);
      const shown = [blocks.length > 0 && h("div", { class: "bubble rich" }, ...blockViews(blocks, chip)), quick.length > 0 && h("div", { class: "choices" }, ...quick.map(chip))];
      this.#p.view.replaceChildren(...shown.filter(Boolean));
      this.#complain("");
    } catch (err) {
      this.#complain(err instanceof SyntaxError ? "Not JSON: " + err.message : err.message);
    }
  }

  #complain(text) {
    write(this.#p.error, text);
    set(this.#p.json, { "aria-invalid": text ? "true" : null });
    set(this.#p.send, { disabled: text.startsWith("Not JSON") });
  }

  async #submit() {
    if (this.#p.send.disabled) return;
    set(this.#p.send, { disabled: true });
    let text = "";
    try {
      await this.#send(this.#read());
      this.#p.dialog.close();
    } catch (err) {
      text = err instanceof Refused ? err.message : String(err.message ?? err);
    }
    this.#complain(text);
  }
}
