// One message of a transcript, with the marks the other side has set at it.

import { h, set, write } from "./dom.js";
import { clock, date } from "./words.js";

/** isShown says whether an event of a transcript is a message. */
export const isShown = (e) => e.type === "ContentEvent" || e.type === "RichContentEvent";

export const keyOf = (e) => `${e.dialog} ${e.sequence}`;

const isPrivate = (e) => e.audience === "AGENTS_AND_MANAGERS";

/** mark applies an accept-status event to the messages it names, as the simulator does. */
export function mark(messages, e) {
  for (const m of messages) {
    if (m.dialog !== e.dialog || !e.sequences?.includes(m.sequence) || (m.role === "CONSUMER") === (e.role === "CONSUMER")) continue;
    if (e.status === "READ") m.accepted = m.read = true;
    if (e.status === "ACCEPT" || e.status === "ACCESS") m.accepted = true;
    if (e.status === "NACK") m.nack = true;
  }
}

function author(e) {
  if (isPrivate(e)) return `${e.name || "Agent"} · private note`;
  if (e.role === "CONTROLLER") return "Controller";
  if (e.role === "MANAGER") return `${e.name || "Manager"} · manager`;
  return e.name || (e.role === "CONSUMER" ? "Consumer" : "Agent");
}

/** standing is how far a message got: of the agent's towards the consumer, of the consumer's towards the agent. */
function standing(e) {
  if (isPrivate(e)) return { state: "private", text: "not sent to the consumer" };
  if (e.nack) return { state: "nack", text: "Not delivered" };
  if (e.read) return { state: "read", text: "Read" };
  if (e.accepted) return { state: "accepted", text: e.role === "CONSUMER" ? "Accepted" : "Delivered" };
  return { state: "sent", text: e.role === "CONSUMER" ? "New" : "Sent" };
}

export function makeMessage() {
  const li = h("li", { class: "line", "data-testid": "desk-message" });
  li.parts = {
    author: h("span", { class: "line-author" }), time: h("time"), text: h("p", { class: "line-text", dir: "auto" }),
    mark: h("span", { class: "line-mark", "data-testid": "desk-mark" }),
  };
  const p = li.parts;
  li.append(p.author, p.text, h("span", { class: "line-foot" }, p.time, p.mark));
  return li;
}

/** follows says whether b continues what a began: the same voice, soon after. */
export function follows(a, b) {
  return Boolean(a) && author(a) === author(b) && a.role === b.role && new Date(b.at) - new Date(a.at) < 120_000;
}

export function updateMessage(li, e, again) {
  const p = li.parts;
  const kind = isPrivate(e) ? "note" : { CONSUMER: "consumer", CONTROLLER: "controller", MANAGER: "agent" }[e.role] ?? "agent";
  set(li, { class: again ? `line ${kind} again` : `line ${kind}`, "data-role": e.role, "data-sequence": e.sequence, "data-private": String(isPrivate(e)) });
  write(p.author, author(e));
  set(p.time, { datetime: e.at, title: date(e.at) });
  write(p.time, clock(e.at));
  write(p.text, e.text || "Rich content");
  const s = standing(e);
  set(p.mark, { "data-state": s.state, title: `Sequence ${e.sequence} of dialog ${e.dialog}` });
  write(p.mark, s.text);
}
