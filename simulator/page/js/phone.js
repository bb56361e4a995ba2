// The consumer's phone. Everything sent here goes through the simulator's
// provider, which posts a signed webhook to Parley.

import { get, phonePath, post, put } from "./api.js";
import { Attach } from "./attach.js";
import { makeBubble, starter, updateBubble } from "./bubbles.js";
import { Consumers, invent } from "./consumers.js";
import { byId, enterSends, grow, h, keyed, later, pin, set, sticky, toEnd, write } from "./dom.js";
import { offers } from "./offers.js";
import { base64 } from "./pictures.js";
import { Typist } from "./typist.js";
import { bareClock, channelTitle, initials, prettyNumber } from "./words.js";

const NUMBER = /^\+[1-9]\d{6,14}$/;
const STARTERS = ["Hi, where is my order?", "I was charged twice.", "Can I return these shoes?"];

export class Phone {
  #stream;
  #channels = [];
  #channel = null;
  #consumers = new Consumers();
  #who = { id: "", name: "" };
  #messages = new Map();
  #failures = new Map(); // what Parley, or the network, said about a message
  #known = new Map(); // names of phones by channel and consumer
  #typist;
  #unreported = false;
  #attach;
  #sent = new Map(); // files of messages, for another try
  #loading = true;

  constructor(stream) {
    this.#stream = stream;
    // Before the first message there is no conversation in which typing could be seen.
    this.#typist = new Typist((on) => this.#isChat() && this.#messages.size > 0 && post(this.#path("typing"), { on }));
    this.#wire();
    stream.on("hello", (state) => this.#start(state));
    stream.on("phone", (e) => this.#happened(e));
    stream.on("reset", () => this.#forget());
    stream.on("lost", () => this.#load());
  }

  /** show puts another consumer's phone on the table. */
  show(channelName, consumer, name) {
    const channel = this.#channels.find((c) => c.name === channelName);
    if (!channel) return;
    this.#channel = channel;
    this.#consumers.keepChannel(channel.name);
    this.#who = this.#consumers.keep(channel, { id: consumer, name: name ?? "" });
    this.#load();
  }

  /** holds says whether the phone on the table is that one. */
  holds(phone) {
    return Boolean(phone) && phone.channel === this.#channel?.name && phone.consumer === this.#who.id;
  }

  /**
   * of returns the phone a conversation of the cloud belongs to. The profile names
   * it where the channel's consumers have numbers; elsewhere their name has to do.
   */
  of(conversation) {
    if (conversation.phone) return conversation.phone;
    const same = [...this.#known.values()].filter((p) => p.kind === "http" && p.name && p.name === conversation.name);
    return same.length === 1 ? { channel: same[0].channel, consumer: same[0].consumer } : null;
  }

  #isChat() {
    return this.#channel?.kind === "http";
  }

  #path(act) {
    return phonePath(this.#channel.name, this.#who.id, act);
  }

  #wire() {
    const input = byId("phone-input");
    const form = byId("phone-form");
    pin(byId("phone-scroll"));
    enterSends(input, form);
    this.#attach = new Attach(
      { name: "phone", button: byId("phone-attach"), body: byId("phone-attach-menu"), tray: byId("phone-tray"), area: input },
      () => this.#sendable(), (text) => this.#complain(text));
    input.addEventListener("input", () => {
      grow(input);
      this.#sendable();
      this.#typist.typed(input.value);
    });
    form.addEventListener("submit", (e) => {
      e.preventDefault();
      this.#send(input.value.trim());
    });
    byId("phone-close").addEventListener("click", () => this.#act(() => post(this.#path("close"))));
    byId("new-consumer").addEventListener("click", () => {
      this.#newConsumer();
      byId("phone-input").focus();
    });
    byId("consumer-id").addEventListener("change", (e) => this.#rename(e.target));
    byId("consumer-name").addEventListener("change", (e) => this.#profileChanged({ name: e.target.value.trim() }));
    byId("consumer-language").addEventListener("change", (e) => this.#profileChanged({ language: e.target.value }));
    byId("starters").append(...STARTERS.map((text) => starter(text, (t) => this.#send(t))));
    document.addEventListener("visibilitychange", () => this.#reportRead());
    const tick = () => write(byId("clock"), bareClock());
    tick();
    setInterval(tick, 5000);
  }

  #start(state) {
    this.#channels = state.channels;
    const keep = this.#channels.find((c) => c.name === (this.#channel?.name ?? this.#consumers.lastChannel()));
    this.#channel = keep ?? this.#channels[0] ?? null;
    this.#drawChannels();
    if (!this.#channel) {
      this.#complain("No channel is configured: set PARLEY_CHANNELS.");
      return;
    }
    this.#who = this.#consumers.current(this.#channel);
    this.#load();
    this.#listPhones();
  }

  #forget() {
    this.#consumers.forget();
    this.#known.clear();
    this.#failures.clear();
    if (!this.#channel) return;
    this.#who = this.#consumers.current(this.#channel);
    this.#complain("");
    this.#drawKnown();
    this.#load();
  }

  async #listPhones() {
    try {
      for (const p of (await get("/sim/phones")).phones) this.#known.set(p.channel + " " + p.consumer, p);
      this.#drawKnown();
    } catch {
      // The list only helps typing.
    }
  }

  /** The phone's past. An answer that comes after the phone was changed is dropped. */
  async #load() {
    if (!this.#channel) return;
    const { channel, consumer } = { channel: this.#channel.name, consumer: this.#who.id };
    this.#loading = true;
    this.#messages.clear();
    this.#typist.sent();
    this.#draw();
    try {
      const phone = await get(phonePath(channel, consumer));
      if (!this.holds({ channel, consumer })) return;
      if (this.#who.used && !phone.thread?.length) {
        // The simulator has forgotten this consumer, Parley has not: somebody new writes.
        this.#newConsumer();
        return;
      }
      if (phone.thread?.length) this.#consumers.used(this.#channel);
      this.#who = this.#consumers.keep(this.#channel, { id: consumer, name: phone.name || this.#who.name, language: phone.profile?.language ?? this.#who.language });
      this.#loading = false;
      for (const m of phone.thread ?? []) this.#messages.set(keyOf(m), m);
      this.#typing(phone.typing);
      this.#draw();
      toEnd(byId("phone-scroll"));
      this.#reportRead();
    } catch (err) {
      this.#complain(err.message);
    }
  }

  #happened({ phone, message }) {
    const key = phone.channel + " " + phone.consumer;
    const isNew = this.#known.get(key)?.name !== phone.name;
    this.#known.set(key, phone);
    if (isNew) this.#drawKnown();
    if (!this.holds(phone)) return;
    if (message) {
      this.#messages.set(keyOf(message), message);
      this.#consumers.used(this.#channel);
    }
    this.#typing(phone.typing);
    this.#drawThread();
    if (message?.direction === "out") this.#reportRead();
  }

  #sendable() {
    const some = byId("phone-input").value.trim() !== "" || this.#attach.files().length > 0;
    set(byId("phone-send"), { disabled: !some });
  }

  async #send(text) {
    const files = this.#attach.files();
    if ((!text && files.length === 0) || !this.#channel) return;
    const input = byId("phone-input");
    input.value = "";
    grow(input);
    this.#attach.take();
    this.#typist.sent();
    const sent = await this.#act(async () => {
      await this.#tellProfile();
      const attachments = await Promise.all(files.map(async (f) => ({ name: f.name, mime: f.type, data: await base64(f) })));
      const posted = await post(this.#path("text"), { text, name: this.#who.name, ...(attachments.length ? { attachments } : {}) });
      if (attachments.length) this.#sent.set(posted.messageId, attachments);
      return posted;
    });
    if (!sent && !input.value) {
      input.value = text;
      this.#attach.add(...files);
    }
    this.#sendable();
    input.focus();
  }

  /** The same event again, under its old names: Parley may have stored it after all. */
  async #retry(m) {
    const known = this.#failures.get(m.id);
    const body = { text: m.text, name: this.#who.name, messageId: m.id };
    if (known?.eventId) body.eventId = known.eventId;
    if (this.#sent.has(m.id)) body.attachments = this.#sent.get(m.id);
    await this.#act(() => post(this.#path("text"), body));
  }

  /** Several boxes of a list are answered by their numbers, as on a phone without boxes. */
  async #several(m, list) {
    if (list.length === 1) return this.#act(() => post(this.#path("choice"), { messageId: m.id, id: list[0].id, title: list[0].title }));
    const numbers = list.map((c) => m.choices.findIndex((x) => x.id === c.id) + 1).sort((a, b) => a - b);
    return this.#act(() => post(this.#path("text"), { text: numbers.join(", "), name: this.#who.name }));
  }

  /** A file that the consumer opens is reported, where the channel can. */
  #opened(m) {
    if (!this.#isChat() || m.status === "opened") return;
    post(this.#path("status"), { messageId: m.id, state: "opened" }).catch(() => {});
  }

  /** act does something and shows at the composer if it could not be done. */
  async #act(f) {
    try {
      const posted = await f();
      this.#complain("");
      if (posted.messageId) this.#failures.set(posted.messageId, posted);
      if (!posted.messageId && (posted.status < 200 || posted.status > 299)) this.#complain(whyNot(posted));
      this.#drawThread();
      return true;
    } catch (err) {
      this.#complain(err.message);
      return false;
    }
  }

  #complain(text) {
    write(byId("phone-error"), text);
    set(byId("phone-error"), { hidden: !text });
  }

  #newConsumer() {
    if (!this.#channel) return;
    this.#who = this.#consumers.keep(this.#channel, invent(this.#channel.kind));
    this.#complain("");
    this.#load();
  }

  #rename(input) {
    const id = input.value.replace(this.#isChat() ? /^\s+|\s+$/g : /[^\d+]/g, "");
    const fits = this.#isChat() ? id !== "" : NUMBER.test(id);
    this.#complain(fits ? "" : "A number begins with + and the country, like +1 202 555 0123.");
    if (!fits || !this.#channel) {
      input.value = this.#shownId();
      return;
    }
    const known = this.#known.get(this.#channel.name + " " + id);
    this.#who = this.#consumers.keep(this.#channel, { id, name: known?.name || this.#who.name });
    this.#load();
  }

  /** A change of the profile is told at once where there is a conversation, else with the first message. */
  async #profileChanged(change) {
    if (!this.#channel) return;
    this.#who = this.#consumers.keep(this.#channel, { ...this.#who, ...change });
    this.#drawWho();
    try {
      if ("name" in change) await put(this.#path(""), { name: this.#who.name });
      if (this.#isChat() && this.#messages.size > 0) await post(this.#path("profile"), { profile: this.#profile() });
    } catch (err) {
      this.#complain(err.message);
    }
  }

  #profile() {
    return this.#who.language ? { language: this.#who.language } : {};
  }

  /** The first message of a chat brings the profile along. */
  async #tellProfile() {
    if (this.#isChat() && this.#messages.size === 0 && this.#who.language) await put(this.#path(""), { profile: this.#profile() });
  }

  /** Read marks go out when the message can be seen; SMS knows none. */
  #reportRead = later(600, () => {
    if (!this.#isChat() || document.hidden || this.#unreported) return;
    const ids = [...this.#messages.values()].filter((m) => m.direction === "out" && !m.read && m.kind !== "system").map((m) => m.id);
    if (ids.length === 0) return;
    this.#unreported = true;
    post(this.#path("read"), { messageIds: ids }).catch(() => {}).finally(() => (this.#unreported = false));
  });

  #typing(on) {
    const show = Boolean(on) && this.#isChat();
    if (byId("phone-typing").hidden === !show) return;
    sticky(byId("phone-scroll"), () => set(byId("phone-typing"), { hidden: !show }));
  }

  #draw() {
    this.#drawChannels();
    this.#drawWho();
    this.#typing(false);
    this.#drawThread();
  }

  #drawChannels() {
    keyed(byId("channels"), this.#channels, (c) => c.name,
      (c) => h("button", { class: "segment", type: "button", "data-testid": "channel-switch-" + c.name, onclick: () => this.#switchTo(c.name) }, channelTitle(c)),
      (el, c) => set(el, { "aria-pressed": String(c.name === this.#channel?.name) }));
  }

  #switchTo(name) {
    this.#channel = this.#channels.find((c) => c.name === name);
    this.#consumers.keepChannel(name);
    this.#who = this.#consumers.current(this.#channel);
    this.#complain("");
    this.#drawKnown();
    this.#load();
  }

  #shownId() {
    return this.#isChat() ? this.#who.id : prettyNumber(this.#who.id);
  }

  #drawWho() {
    const chat = this.#isChat();
    set(byId("consumer-name"), { value: this.#who.name });
    set(byId("consumer-id"), { value: this.#shownId(), inputmode: chat ? "text" : "tel" });
    write(byId("consumer-label"), chat ? "Participant" : "Number");
    write(byId("phone-subtitle"), chat ? "Web chat" : prettyNumber(this.#channel?.from));
    set(byId("phone-close"), { hidden: !chat });
    set(byId("consumer-language"), { value: this.#who.language ?? "" });
    set(byId("language-field"), { hidden: !chat });
    set(byId("phone-input"), { placeholder: chat ? "Write a message" : "Text message" });
    const hint = byId("phone-hint");
    write(hint, chat ? "Typing and read marks go both ways" : "SMS has no typing, no read marks, no buttons");
    set(hint, { title: chat ? null : "An SMS network reports at most that a message was delivered, and buttons are answered by number. Switch to the web chat to see the rest." });
    byId("phone-form").closest(".device").dataset.kind = this.#channel?.kind ?? "";
    byId("phone-form").closest(".device").setAttribute("aria-label", `Phone of ${this.#who.name || this.#who.id} ${initials(this.#who.name)}`.trim());
  }

  #drawKnown() {
    const mine = [...this.#known.values()].filter((p) => p.channel === this.#channel?.name);
    keyed(byId("consumers"), mine, (p) => p.consumer, () => h("option"), (el, p) => {
      set(el, { value: this.#isChat() ? p.consumer : prettyNumber(p.consumer) });
      write(el, p.name || "");
    });
  }

  #drawThread() {
    const list = [...this.#messages.values()];
    const acts = {
      retry: (m) => this.#retry(m),
      choose: (m, c) => this.#act(() => post(this.#path("choice"), { messageId: m.id, id: c.id, title: c.title })),
      several: (m, chosen) => this.#several(m, chosen),
      opened: (m) => this.#opened(m),
      why: (m) => whyNot(this.#failures.get(m.id)),
      ...offers(list),
    };
    sticky(byId("phone-scroll"), () => {
      set(byId("phone-empty"), { hidden: this.#loading || list.length > 0 });
      keyed(byId("phone-thread"), list, keyOf, makeBubble, (el, m) => updateBubble(el, m, acts));
    });
  }
}

const keyOf = (m) => m.direction + " " + m.id;

function whyNot(posted) {
  if (!posted) return "";
  if (posted.status === 0) return "Parley is not reachable";
  return posted.status > 299 ? `Parley answered ${posted.status}` : "";
}
