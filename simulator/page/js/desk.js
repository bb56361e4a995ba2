// The agent's desk: the conversations, the one that is open, and what an agent does
// in it.

import { conversationPath, get, post } from "./api.js";
import { arrowKeys, drawList } from "./desk-list.js";
import { build, drawOpen } from "./desk-open.js";
import { byId, enterSends, grow, h, later, nextFrame, pin, set, toEnd, write } from "./dom.js";
import { menu } from "./menu.js";
import { isShown, keyOf, mark } from "./transcript.js";
import { Typist } from "./typist.js";
import { channelTitle } from "./words.js";

const AGENT = "Dana";
const MOST = 200; // conversations in the list

export class Desk {
  #phone;
  #conversations = new Map();
  #details = new Map(); // messages of conversations that were opened, by key
  #selected = "";
  #skills = [];
  #channels = [];
  #temporalUi = "";
  #note = false;
  #typist;
  #parts;
  #busy = new Set(); // conversations whose receipts are under way
  #accepted = new Map(); // how many messages a conversation had when they were accepted
  #watchers = [];

  constructor(stream, phone) {
    this.#phone = phone;
    this.#parts = build(byId("desk-open"));
    this.#typist = new Typist((on) => this.#current()?.agent && !this.#closed() && post(this.#path("typing"), { on, agent: AGENT }));
    this.#wire();
    write(byId("desk-agent"), AGENT);
    stream.on("hello", (state) => this.#start(state));
    stream.on("conversation", (e) => this.#happened(e));
    stream.on("lost", () => this.#load());
    stream.on("reset", () => this.#load());
  }

  /** watch calls f whenever the list or the choice has changed. */
  watch(f) {
    this.#watchers.push(f);
  }

  conversations() {
    return [...this.#conversations.values()];
  }

  phoneOf(conversation) {
    return this.#phone.of(conversation);
  }

  #current() {
    return this.#conversations.get(this.#selected);
  }

  #closed() {
    return this.#current()?.stage === "CLOSE";
  }

  #path(act) {
    return conversationPath(this.#selected, act);
  }

  #wire() {
    const p = this.#parts;
    arrowKeys(byId("desk-list"));
    pin(p.scroll);
    enterSends(p.input, p.form);
    p.input.addEventListener("input", () => {
      grow(p.input);
      set(p.send, { disabled: !p.input.value.trim() });
      if (!this.#note) this.#typist.typed(p.input.value);
    });
    p.form.addEventListener("submit", (e) => {
      e.preventDefault();
      this.#send(p.input.value.trim());
    });
    p.note.addEventListener("click", () => {
      this.#note = !this.#note;
      this.#typist.stop();
      this.#draw();
      p.input.focus();
    });
    p.join.addEventListener("click", () => this.#act("join", { agent: AGENT }).then((done) => done && p.input.focus()));
    p.close.addEventListener("click", () => this.#act("close"));
    p.showPhone.addEventListener("click", () => {
      const c = this.#current();
      const phone = c && this.phoneOf(c);
      if (phone) this.#phone.show(phone.channel, phone.consumer, c.name);
      this.#draw();
    });
    this.transfer = menu(p.transfer, p.skills);
    document.addEventListener("visibilitychange", () => this.#attend());
  }

  #start(state) {
    this.#skills = state.skills;
    this.#channels = state.channels;
    this.#temporalUi = state.temporalUi;
    this.#parts.skills.replaceChildren(...state.skills.filter((s) => s.id !== "-1").map((s) => h("button", {
      class: "menu-item", type: "button", role: "menuitem", "data-testid": "desk-transfer-skill-" + s.id, onclick: () => this.#transferTo(s.id),
    }, h("span", {}, s.name), h("code", {}, s.id))));
    this.#load();
  }

  #skillName = (id) => this.#skills.find((s) => s.id === id)?.name ?? "Skill " + id;

  #channelName = (name) => channelTitle(this.#channels.find((c) => c.name === name) ?? { name });

  async #load() {
    try {
      const { conversations } = await get("/sim/conversations?limit=" + MOST);
      this.#conversations = new Map(conversations.map((c) => [c.id, c]));
      this.#details.clear();
      if (!this.#conversations.has(this.#selected)) this.#selected = "";
      if (!this.#selected && conversations.length > 0) this.#selected = conversations[0].id;
      this.#draw();
      await this.#loadOpen();
    } catch (err) {
      this.#complain(err.message);
    }
  }

  /** The transcript of the open conversation; events that came meanwhile stay. */
  async #loadOpen() {
    const id = this.#selected;
    if (!id) return;
    if (!this.#details.has(id)) this.#details.set(id, new Map());
    try {
      const detail = await get(conversationPath(id));
      const known = this.#details.get(id);
      if (!known) return;
      for (const e of detail.transcript) if (isShown(e)) known.set(keyOf(e), e);
      this.#draw();
      toEnd(this.#parts.scroll);
      this.#attend();
    } catch (err) {
      this.#complain(err.message);
    }
  }

  #happened({ conversation, event }) {
    const isNew = !this.#conversations.has(conversation.id);
    const before = this.#current();
    this.#conversations.set(conversation.id, conversation);
    const known = this.#details.get(conversation.id);
    if (event && known) {
      if (isShown(event)) known.set(keyOf(event), event);
      if (event.type === "AcceptStatusEvent") mark(known.values(), event);
    }
    // A new conversation comes to the front, unless the agent is busy with another.
    if (isNew && (!before || before.stage === "CLOSE" || this.#phone.holds(this.phoneOf(conversation)))) {
      this.#choose(conversation.id);
      return;
    }
    this.#drawSoon();
    this.#attend();
  }

  #choose(id) {
    if (id === this.#selected && this.#details.has(id)) return;
    this.#typist.stop();
    this.#selected = id;
    this.#note = false;
    this.#complain("");
    const p = this.#parts;
    set(p.input, { value: "" });
    set(p.send, { disabled: true });
    grow(p.input);
    this.#draw();
    this.#loadOpen();
  }

  async #send(text) {
    if (!text) return;
    const p = this.#parts;
    set(p.input, { value: "" });
    set(p.send, { disabled: true });
    grow(p.input);
    const sent = await this.#act(this.#note ? "private" : "text", { text, agent: AGENT });
    this.#typist.sent();
    if (!sent && !p.input.value) {
      set(p.input, { value: text });
      set(p.send, { disabled: false });
    }
    p.input.focus();
  }

  async #transferTo(skill) {
    this.transfer.close();
    await this.#act("transfer", { skill });
  }

  async #act(act, body) {
    try {
      await post(this.#path(act), body);
      this.#complain("");
      return true;
    } catch (err) {
      this.#complain(err.message);
      return false;
    }
  }

  #complain(text) {
    const at = this.#selected ? this.#parts.error : byId("page-error");
    write(at, text);
    set(at, { hidden: !text });
  }

  /** What an agent's client reports by itself: ACCEPT for what arrived, READ for what is looked at. */
  #attend = later(250, () => {
    for (const c of this.#conversations.values()) {
      if (c.stage !== "CLOSE" && c.agent && c.unread > 0) this.#report(c);
    }
  });

  async #report(c) {
    const read = c.id === this.#selected && !document.hidden;
    const accept = this.#accepted.get(c.id) !== c.messages;
    if (this.#busy.has(c.id) || !(read || accept)) return;
    this.#busy.add(c.id);
    this.#accepted.set(c.id, c.messages);
    try {
      if (accept) await post(conversationPath(c.id, "accept"));
      if (read) await post(conversationPath(c.id, "read"));
    } catch {
      // The conversation was closed meanwhile; nobody waits for these marks.
    } finally {
      this.#busy.delete(c.id);
    }
    const now = this.#conversations.get(c.id);
    if (read && now?.unread > 0) this.#attend();
  }

  #drawSoon = nextFrame(() => this.#draw());

  #draw() {
    const list = this.conversations().sort((a, b) => b.startedAt.localeCompare(a.startedAt));
    const c = this.#current();
    const open = list.filter((x) => x.stage !== "CLOSE").length;
    drawList(list.slice(0, MOST), this.#selected, this.#skillName, (id) => this.#choose(id));
    write(byId("desk-count"), list.length ? `${open} open` : "");
    set(byId("desk-empty"), { hidden: Boolean(c) });
    set(byId("desk-open"), { hidden: !c });
    if (c) {
      const messages = [...(this.#details.get(c.id)?.values() ?? [])].sort((a, b) => a.at.localeCompare(b.at) || a.sequence - b.sequence);
      drawOpen(this.#parts, c, messages, {
        skillName: this.#skillName, channelName: this.#channelName, temporalUi: this.#temporalUi, phone: this.phoneOf(c), phoneShown: this.#phone.holds(this.phoneOf(c)), note: this.#note,
      });
    }
    for (const f of this.#watchers) f();
  }
}
