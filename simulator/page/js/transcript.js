// One message of a transcript, with the marks the other side has set at it; or what
// happened between messages.

import { blockViews, choicesOf, fromCard, quickOf, sameMetadata } from "./blocks.js";
import { h, icon, set, write } from "./dom.js";
import { fileView } from "./file-view.js";
import { isPicture } from "./pictures.js";
import { clock, date } from "./words.js";

/** isShown says whether an event of a transcript has a line. */
export const isShown = (e) => e.type === "ContentEvent" || e.type === "RichContentEvent" || isClick(e);

const isClick = (e) => e.type === "AcceptStatusEvent" && e.status === "ACTION";

export const keyOf = (e) => `${e.dialog} ${e.sequence}`;

const isPrivate = (e) => e.audience === "AGENTS_AND_MANAGERS";

/** mark applies an accept-status event to the messages it names, as the simulator does. */
export function mark(messages, e) {
  for (const m of messages) {
    if (m.dialog !== e.dialog || !e.sequences?.includes(m.sequence) || (m.role === "CONSUMER") === (e.role === "CONSUMER")) continue;
    if (e.status === "READ") m.accepted = m.read = true;
    if (e.status === "ACCEPT" || e.status === "ACCESS") m.accepted = true;
    if (e.status === "ACCESS") m.opened = true;
    if (e.status === "NACK") m.nack = true;
  }
}

function author(e) {
  if (isPrivate(e)) return `${e.name || "Agent"} · private note`;
  if (e.role === "CONTROLLER") return "Automatic message";
  if (e.role === "MANAGER") return !e.name || e.name === "Manager" ? "Manager" : `${e.name} · manager`;
  if (e.role === "AGENT") return "Survey bot";
  return e.name || (e.role === "CONSUMER" ? "Consumer" : "Agent");
}

/** standing is how far a message got: of the agent's towards the consumer, of the consumer's towards the agent. */
function standing(e) {
  if (isPrivate(e)) return { state: "private", text: "not sent to the consumer" };
  if (e.nack) return { state: "nack", text: "Not delivered" };
  if (e.opened) return { state: "read", text: "Opened" };
  if (e.read) return { state: "read", text: "Read" };
  if (e.accepted) return { state: "accepted", text: e.role === "CONSUMER" ? "Accepted" : "Delivered" };
  return { state: "sent", text: e.role === "CONSUMER" ? "New" : "Sent" };
}

/** lines puts a divider where another dialog begins, which is the survey. */
export function lines(shown) {
  const all = [];
  let before = "";
  for (const e of shown) {
    if (before && e.dialog !== before) all.push({ divider: true, dialog: e.dialog, sequence: -1 });
    before = e.dialog;
    all.push(e);
  }
  return all;
}

export function makeMessage(e) {
  if (e.divider) return h("li", { class: "divider", "data-testid": "desk-divider" }, h("span", {}, "Survey"));
  if (isClick(e)) return h("li", { class: "event", "data-testid": "desk-click" });
  const li = h("li", { class: "line", "data-testid": "desk-message" });
  li.parts = {
    author: h("span", { class: "line-author" }), time: h("time"), body: h("div", { class: "line-text", dir: "auto" }),
    clicked: h("span", { class: "line-clicked", title: "Said by pressing something that was offered", hidden: true }, icon("tap"), "pressed"),
    mark: h("span", { class: "line-mark", "data-testid": "desk-mark" }),
  };
  const p = li.parts;
  li.append(p.author, p.body, h("span", { class: "line-foot" }, p.time, p.clicked, p.mark));
  return li;
}

/** follows says whether b continues what a began: the same voice, soon after. */
export function follows(a, b) {
  return Boolean(a) && !b.divider && !a.divider && !isClick(a) && !isClick(b) && author(a) === author(b) && a.role === b.role && a.dialog === b.dialog && new Date(b.at) - new Date(a.at) < 120_000;
}

/** updateMessage draws e. around: { again, find(dialog, sequence), pressed(e) }. */
export function updateMessage(li, e, around) {
  if (e.divider) return;
  if (isClick(e)) {
    updateClick(li, e, around);
    return;
  }
  const p = li.parts;
  const kind = isPrivate(e) ? "note" : { CONSUMER: "consumer", CONTROLLER: "controller", MANAGER: "agent manager", AGENT: "survey" }[e.role] ?? "agent";
  set(li, { class: around.again ? `line ${kind} again` : `line ${kind}`, "data-role": e.role, "data-sequence": e.sequence, "data-private": String(isPrivate(e)), "data-type": e.file ? "file" : e.type === "RichContentEvent" ? "rich" : "text" });
  write(p.author, author(e));
  set(p.time, { datetime: e.at, title: date(e.at) });
  write(p.time, clock(e.at));
  drawBody(p.body, e, around);
  set(p.clicked, { hidden: !(e.role === "CONSUMER" && isAnswer(e)) });
  const s = standing(e);
  set(p.mark, { "data-state": s.state, title: `Sequence ${e.sequence} of dialog ${e.dialog}` });
  write(p.mark, s.text);
}

/** A consumer's text that bears an element's metadata was a click; our own is an ExternalId of 32 digits. */
const isAnswer = (e) => (e.metadata ?? []).some?.((m) => !(m.type === "ExternalId" && /^[0-9a-f]{32}$/.test(m.id ?? ""))) && !e.externalId?.match?.(/^[0-9a-f]{32}$/);

function drawBody(box, e, around) {
  const pressed = around.pressed(e);
  const key = JSON.stringify([e.text, e.file, pressed]);
  if (box.shown === key) return;
  box.shown = key;
  const chip = (c) => h("span", { class: c.many ? "check" : "choice", "data-taken": pressed.some((m) => sameMetadata(m, c.metadata)) ? "true" : null }, c.many && h("span", { class: "check-box", "aria-hidden": "true" }, icon("check")), h("span", {}, c.title));
  const quick = quickOf(e.event);
  const rich = e.type === "RichContentEvent" ? fromCard(e.event?.content) : [];
  const parts = e.file ? file(e) : rich.length > 0 ? [h("div", { class: "rich", "data-testid": "desk-card" }, ...blockViews(rich, chip))] : [e.text || "Content that this page cannot show"];
  if (quick.length > 0) parts.push(h("div", { class: "choices", "data-testid": "desk-quick-replies" }, ...quick.map(chip)));
  box.replaceChildren(...parts);
  box.classList.toggle("has-rich", rich.length > 0);
  box.classList.toggle("has-file", Boolean(e.file));
}

function file(e) {
  const preview = e.event?.message?.preview;
  const name = e.file.caption || e.file.path.split("/").pop();
  const view = fileView({ url: e.file.url, preview, name, type: e.file.type, size: e.file.size, picture: isPicture("", e.file.type) }, "desk-file");
  view.dataset.preview = e.file.preview > 0 ? "true" : "false";
  return [view, view.classList.contains("picture") && e.file.caption && h("p", { class: "caption" }, e.file.caption)].filter(Boolean);
}

/** A click is told before what is said by it: which element, with which metadata. */
function updateClick(li, e, around) {
  const of = around.find(e.dialog, e.sequences?.[0]);
  const what = choicesOf(of?.event).find((c) => sameMetadata(c.metadata, e.metadata));
  const key = what?.title ?? "";
  if (li.shown === key + e.sequence) return;
  li.shown = key + e.sequence;
  set(li, { "data-sequence": e.sequence });
  li.replaceChildren(h("details", { class: "click" },
    h("summary", {}, icon("tap"), h("span", {}, `${e.name || "The consumer"} pressed `), h("b", {}, what ? what.title : "an element"), h("small", {}, "ACTION")),
    h("pre", { class: "code", tabindex: "0" }, JSON.stringify(e.metadata ?? [], null, 1))));
}
