// The agent's desk: the conversations, the one that is open, and what an agent does
// in it.

import { conversationPath, get, post, upload } from "./api.js";
import { Composer } from "./desk-composer.js";
import { campaignOf, drawFacts } from "./desk-facts.js";
import { arrowKeys, drawList, stage, title } from "./desk-list.js";
import { build, drawOpen } from "./desk-open.js";
import { byId, h, later, nextFrame, pin, set, toEnd, write } from "./dom.js";
import { ending } from "./pictures.js";
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
  #cases = new Map(); // what else is known of conversations that were opened
  #facts = false; // whether that is shown
  #composer;
  #typist;
  #parts;
  #busy = new Set(); // conversations whose receipts are under way
  #accepted = new Map(); // how many messages a conversation had when they were accepted
  #watchers = [];

  constructor(stream, phone) {
    this.#phone = phone;
    this.#composer = new Composer({
      send: (m) => this.#send(m), card: (card) => this.#card(card), typed: (text) => this.#typist.typed(text),
      noted: () => { this.#typist.stop(); this.#draw(); }, complain: (text) => this.#complain(text),
    });
    this.#parts = build(byId("desk-open"), this.#composer.root);
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
    p.join.addEventListener("click", () => this.#act("join", { agent: AGENT }).then((done) => done && this.#composer.focus()));
    p.close.addEventListener("click", () => this.#act("close"));
    const more = menu(p.closeMore, p.closeMenu);
    const closing = (button, act, body) => button.addEventListener("click", () => {
      more.close();
      this.#act(act, body);
    });
    closing(p.closeBare, "close", { survey: false });
    closing(p.closeTimeout, "close", { reason: "TIMEOUT" });
    const again = menu(p.resumeMore, p.resumeMenu);
    p.resume.addEventListener("click", () => this.#resume("new"));
    p.resumeSame.addEventListener("click", () => {
      again.close();
      this.#resume("same");
    });
    p.info.addEventListener("click", () => {
      this.#facts = !this.#facts;
      this.#drawFacts();
      if (this.#facts) this.#learn();
    });
    p.facts.addEventListener("keydown", (e) => {
      if (e.key !== "Escape") return;
      this.#facts = false;
      this.#drawFacts();
      p.info.focus();
    });
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
      this.#cases.set(id, { ...this.#cases.get(id), ...detail, transcript: null });
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
    if (conversation.id === this.#selected) this.#learnSoon();
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
    this.#complain("");
    this.#composer.clear();
    this.#draw();
    this.#loadOpen();
  }

  /** What an agent sends: files first, with the text as the caption of the first one. */
  async #send({ text, files, quick, note, voice }) {
    this.#typist.sent();
    const role = voice === "agent" ? {} : { role: voice.toUpperCase() };
    let caption = quick.length > 0 || note ? "" : text;
    for (const file of files) {
      const query = { name: file.name, type: ending(file.name), agent: AGENT, ...(caption ? { caption } : {}), ...role };
      if (!(await this.#do(() => upload(this.#path("file"), file, query)))) return false;
      caption = "";
    }
    if (!text || (files.length > 0 && quick.length === 0 && !note)) return true;
    if (note) return this.#act("private", { text, agent: AGENT });
    if (quick.length > 0) return this.#act("quick", { text, agent: AGENT, quickReplies: quickReplies(quick), ...role });
    return this.#act(voice === "agent" ? "text" : voice, { text, agent: AGENT });
  }

  /** card sends structured content; it throws what the simulator has against it. */
  async #card(card) {
    await post(this.#path("rich"), { agent: AGENT, content: card.content, quickReplies: card.quickReplies, metadata: card.metadata });
    this.#complain("");
    this.#composer.focus();
  }

  /** resume opens a closed case again: as a new conversation, or under its old id. */
  async #resume(mode) {
    try {
      const { conversation } = await post(this.#path("reopen"), { mode, agent: AGENT });
      this.#complain("");
      if (conversation && conversation !== this.#selected) this.#choose(conversation);
    } catch (err) {
      this.#complain(err.message);
    }
  }

  async #transferTo(skill) {
    this.transfer.close();
    await this.#act("transfer", { skill });
  }

  #act(act, body) {
    return this.#do(() => post(this.#path(act), body));
  }

  async #do(f) {
    try {
      await f();
      this.#complain("");
      return true;
    } catch (err) {
      this.#complain(err.message);
      return false;
    }
  }

  /** What the stream does not tell: clicks, the survey's answers, the profile, the campaign. */
  async #learn() {
    const id = this.#selected;
    if (!id) return;
    try {
      const detail = await get(conversationPath(id));
      const before = this.#cases.get(id);
      let campaign = before?.campaign;
      if (this.#facts && campaign === undefined) {
        campaign = campaignOf((await get(`/sim/wire?class=conversation&conversation=${encodeURIComponent(id)}&bodies=1&limit=20`)).entries);
      }
      this.#cases.set(id, { ...detail, campaign, transcript: null });
      if (id === this.#selected) this.#draw();
    } catch {
      // What is shown stays as it is.
    }
  }

  #learnSoon = later(300, () => this.#learn());

  #complain(text) {
    const at = this.#selected ? this.#parts.error : byId("page-error");
    write(at, text);
    set(at, { hidden: !text });
  }

  /** What an agent's client reports by itself: ACCEPT for what arrived, READ for what is looked at. */
  #attend = later(250, () => {
    for (const c of this.#conversations.values()) {
      if (c.state === "OPEN" && c.agent && c.unread > 0) this.#report(c);
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
        skillName: this.#skillName, channelName: this.#channelName, temporalUi: this.#temporalUi, phone: this.phoneOf(c), phoneShown: this.#phone.holds(this.phoneOf(c)), survey: this.#cases.get(c.id)?.surveyRun,
      });
      this.#composer.draw({ open: stage(c).kind === "open" || stage(c).kind === "waiting", joined: Boolean(c.agent), title: title(c) });
      this.#drawFacts();
    }
    for (const f of this.#watchers) f();
  }

  #drawFacts() {
    const p = this.#parts;
    const known = this.#cases.get(this.#selected);
    set(p.facts, { hidden: !this.#facts || !known });
    set(p.info, { "aria-pressed": String(this.#facts) });
    if (!this.#facts || !known) return;
    const key = JSON.stringify([known, this.#current()]);
    if (p.facts.shown === key) return;
    p.facts.shown = key;
    const open = [...p.facts.querySelectorAll("details")].map((d) => d.open);
    drawFacts(p.facts, { ...known, ...this.#current() }, { skillName: this.#skillName, campaign: known.campaign });
    [...p.facts.querySelectorAll("details")].forEach((d, i) => (d.open = Boolean(open[i])));
  }
}

const quickReplies = (titles) => ({
  type: "quickReplies", itemsPerRow: 8,
  replies: titles.slice(0, 24).map((title) => ({ type: "button", title, click: { actions: [{ type: "publishText", text: title }], metadata: [{ type: "ExternalId", id: "QUICK-" + title.toUpperCase().replace(/[^A-Z0-9]+/g, "-").slice(0, 40) }] } })),
});
