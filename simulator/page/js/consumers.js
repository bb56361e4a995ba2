// Who holds the phone: one consumer per channel, remembered by the browser for as
// long as the simulator remembers them.

const FIRST = ["Mira", "Jonas", "Amara", "Luca", "Noor", "Elif", "Tomás", "Ingrid", "Kofi", "Hana", "Priya", "Mateo", "Yuki", "Zofia", "Omar", "Clara"];
const LAST = ["Kahn", "Okafor", "Lindqvist", "Moreau", "Tanaka", "Silva", "Novak", "Haddad", "Weber", "Costa", "Iyer", "Brandt"];
const KEY = "parley.consumers";

const pick = (list) => list[Math.floor(Math.random() * list.length)];
const digits = (n) => String(Math.floor(Math.random() * 10 ** n)).padStart(n, "0");

/** invent makes up a consumer; the numbers are of the range that is kept for fiction. */
export function invent(kind) {
  const name = `${pick(FIRST)} ${pick(LAST)}`;
  const id = kind === "twilio" ? `+1${pick(["202", "312", "415", "512", "617", "718"])}55501${digits(2)}` : "u-" + digits(6);
  return { id, name };
}

export class Consumers {
  #known = {};

  constructor() {
    try {
      this.#known = JSON.parse(localStorage.getItem(KEY)) ?? {};
    } catch {
      this.#known = {};
    }
  }

  forget() {
    this.#known = { lastChannel: this.#known.lastChannel };
    this.#save();
  }

  /** current is who used this channel last, or somebody new. */
  current(channel) {
    const known = this.#known[channel.name];
    return known?.id ? known : this.keep(channel, invent(channel.kind));
  }

  keep(channel, consumer) {
    const used = this.#known[channel.name]?.id === consumer.id && this.#known[channel.name].used;
    this.#known[channel.name] = { id: consumer.id, name: consumer.name, language: consumer.language ?? "", used: Boolean(used) };
    this.#save();
    return this.#known[channel.name];
  }

  /** used notes that the consumer has written, so that an empty phone later means a simulator that forgot. */
  used(channel) {
    this.#known[channel.name].used = true;
    this.#save();
  }

  lastChannel() {
    return this.#known.lastChannel ?? "";
  }

  keepChannel(name) {
    this.#known.lastChannel = name;
    this.#save();
  }

  #save() {
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#known));
    } catch {
      // Without storage the phone starts anew with every visit.
    }
  }
}
