// Where the agent writes: text, files, quick replies, cards, notes.

import { Attach } from "./attach.js";
import { Cards } from "./cards.js";
import { enterSends, grow, h, icon, set } from "./dom.js";

const VOICES = [
  { id: "agent", title: "Agent", hint: "" },
  { id: "manager", title: "Manager", hint: "The manager joins with the first message" },
  { id: "controller", title: "Automatic message", hint: "Sent by the brand itself, as the controller" },
];

export class Composer {
  #say;
  #note = false;
  #attach;
  #cards;
  #p;

  /** say is { send(message), card(card), typed(text), noted(), complain(text) }; send and card return whether it was sent. */
  constructor(say) {
    this.#say = say;
    this.#p = this.#build();
    this.root = this.#p.form;
    const p = this.#p;
    this.#attach = new Attach({ name: "desk", button: p.clip, body: p.clipMenu, tray: p.tray, area: p.input }, () => this.#sendable(), (text) => say.complain(text));
    this.#cards = new Cards((card) => say.card(card));
    enterSends(p.input, p.form);
    p.input.addEventListener("input", () => {
      grow(p.input);
      this.#sendable();
      if (!this.#note) say.typed(p.input.value);
    });
    p.form.addEventListener("submit", (e) => {
      e.preventDefault();
      this.#submit();
    });
    p.note.addEventListener("click", () => {
      this.#note = !this.#note;
      say.noted();
      p.input.focus();
    });
    p.card.addEventListener("click", () => this.#cards.open());
    p.quick.addEventListener("click", () => this.#showQuick(p.quickRow.hidden));
    p.voice.addEventListener("change", () => say.noted());
  }

  focus() {
    this.#p.input.focus();
  }

  clear() {
    const p = this.#p;
    this.#note = false;
    set(p.input, { value: "" });
    grow(p.input);
    this.#attach.clear();
    this.#showQuick(false);
    p.voice.value = "agent";
    this.#sendable();
  }

  /** draw shows what can be done in a conversation. */
  draw({ open, joined, title }) {
    const p = this.#p;
    const voice = VOICES.find((v) => v.id === p.voice.value);
    set(p.form, { hidden: !open, class: this.#note ? "composer note" : "composer" });
    set(p.note, { "aria-pressed": String(this.#note) });
    for (const b of [p.clip, p.card, p.quick, p.voice]) set(b, { disabled: this.#note });
    const hint = this.#note ? "A note only agents see" : voice.hint || (joined ? "Write to " + title : "Your answer accepts the conversation");
    set(p.input, { placeholder: hint });
  }

  #sendable() {
    const some = this.#p.input.value.trim() !== "" || this.#attach.files().length > 0;
    set(this.#p.send, { disabled: !some });
  }

  #showQuick(on) {
    const p = this.#p;
    set(p.quickRow, { hidden: !on });
    set(p.quick, { "aria-pressed": String(on) });
    if (on) p.quickInput.focus();
    else set(p.quickInput, { value: "" });
  }

  async #submit() {
    const p = this.#p;
    const text = p.input.value.trim();
    const files = this.#attach.files();
    if (!text && files.length === 0) return;
    const quick = p.quickRow.hidden || this.#note ? [] : p.quickInput.value.split(",").map((t) => t.trim()).filter(Boolean);
    if (quick.length > 0 && !text) {
      this.#say.complain("Quick replies go with a text.");
      return;
    }
    set(p.input, { value: "" });
    grow(p.input);
    this.#attach.take();
    this.#sendable();
    const sent = await this.#say.send({ text, files, quick, note: this.#note, voice: this.#note ? "agent" : p.voice.value });
    if (sent) this.#showQuick(false);
    else if (!p.input.value) {
      set(p.input, { value: text });
      this.#attach.add(...files);
    }
    this.#sendable();
    p.input.focus();
  }

  #build() {
    const tool = (name, testid, label, title, extra = {}) => h("button", { class: "tool", type: "button", "data-testid": testid, "aria-label": label, title, ...extra }, icon(name));
    const p = {
      form: h("form", { class: "composer" }),
      input: h("textarea", { rows: "1", "data-testid": "desk-input", "aria-label": "Message from the agent", enterkeyhint: "send" }),
      clip: tool("clip", "desk-attach", "Attach a file", "Attach a picture or file", { "aria-haspopup": "dialog", "aria-expanded": "false" }),
      clipMenu: h("div", { class: "menu-body up", role: "dialog", "aria-label": "Attach", hidden: true }),
      card: tool("card", "desk-cards", "Send a card", "Send a card: structured content", { "aria-haspopup": "dialog" }),
      quick: tool("chips", "desk-quick", "Quick replies", "Offer quick replies with the text", { "aria-pressed": "false" }),
      note: tool("note", "desk-note", "Private note", "Private note: for agents only, never sent to the consumer", { "aria-pressed": "false" }),
      voice: h("select", { class: "select voice", "data-testid": "desk-voice", "aria-label": "Write as" }, ...VOICES.map((v) => h("option", { value: v.id }, v.title))),
      send: h("button", { class: "round", type: "submit", "data-testid": "desk-send", "aria-label": "Send from the desk", disabled: true }, icon("send")),
      tray: h("div", { class: "tray", "data-testid": "desk-tray", hidden: true }),
      quickInput: h("input", { "data-testid": "desk-quick-input", "aria-label": "Quick replies, separated by commas", placeholder: "Yes, No, Talk to somebody", autocomplete: "off", maxlength: "400" }),
    };
    p.quickInput.addEventListener("keydown", (e) => {
      if (e.key !== "Enter") return;
      e.preventDefault();
      p.form.requestSubmit();
    });
    p.quickRow = h("label", { class: "quick-row", hidden: true }, h("span", {}, "Quick replies"), p.quickInput);
    p.form.append(p.quickRow, p.tray, p.input,
      h("div", { class: "tools" }, h("div", { class: "menu" }, p.clip, p.clipMenu), p.card, p.quick, p.note, h("span", { class: "grow" }), h("label", { class: "voice-label" }, h("span", { "aria-hidden": "true" }, "as"), p.voice), p.send));
    return p;
  }
}
