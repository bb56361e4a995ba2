// One message on the phone.

import { blockViews } from "./blocks.js";
import { h, icon, set, write } from "./dom.js";
import { fileView } from "./file-view.js";
import { isPicture } from "./pictures.js";
import { clock, date } from "./words.js";

const STATES = {
  in: {
    posting: "Sending…",
    accepted: "Sent",
    refused: "Parley refused it",
    failed: "Not sent: Parley did not answer",
  },
  out: {
    queued: "Queued",
    sent: "Sent",
    delivered: "Delivered",
    read: "Read by you",
    opened: "Opened by you",
    failed: "Not delivered",
    undelivered: "Not delivered",
  },
};

const isBad = (m) => ["refused", "failed", "undelivered"].includes(m.status);

function stateOf(m, why) {
  if (m.direction === "in" && isBad(m) && why) return why;
  if (m.direction === "in" && m.read && !isBad(m)) return "Read";
  if (m.kind === "system") return "From the SMS provider";
  const text = STATES[m.direction]?.[m.status] ?? m.status;
  return m.code && isBad(m) ? `${text} (${m.code})` : text;
}

/** makeBubble builds a message; what can change is filled in by updateBubble. */
export function makeBubble() {
  const li = h("li", { class: "bubble-row", "data-testid": "phone-message" });
  li.parts = {
    files: h("div", { class: "bubble-files", hidden: true }),
    text: h("p", { class: "bubble", dir: "auto" }),
    rich: h("div", { class: "bubble rich", "data-testid": "phone-card", hidden: true }),
    choices: h("div", { class: "choices", role: "group", "aria-label": "Answers offered", hidden: true }),
    foot: h("p", { class: "bubble-foot" }),
    time: h("time"),
    state: h("span", { "data-testid": "phone-state" }),
    retry: h("button", { class: "link", type: "button", "data-testid": "phone-retry", hidden: true }, "Try again"),
  };
  const p = li.parts;
  p.foot.append(p.time, p.state, p.retry);
  li.append(p.files, p.text, p.rich, p.choices, p.foot);
  return li;
}

/** updateBubble shows m as it is now. acts: { retry(m), choose(m, choice), several(m, choices), opened(m), why(m), choosable(m), pressable(m), taken(m) }. */
export function updateBubble(li, m, acts) {
  const p = li.parts;
  const all = m.kind === "rich" ? m.raw?.blocks ?? [] : [];
  const said = plainly(all);
  const blocks = said ? [] : all; // a text with quick replies is a text
  set(li, {
    class: `bubble-row ${m.direction === "in" ? "mine" : "theirs"}${m.kind === "system" ? " system" : ""}${isBad(m) ? " bad" : ""}${blocks.length ? " wide" : ""}`,
    "data-direction": m.direction, "data-kind": m.kind, "data-status": m.status, "data-read": String(Boolean(m.read)), "data-message": m.id,
  });
  drawFiles(p.files, m, acts);
  // A document shows its own name; it need not be said again.
  const named = m.media?.length === 1 && m.media[0].name === m.text && !isPicture(m.media[0].mime);
  linked(p.text, blocks.length || named ? "" : said || m.text);
  set(p.text, { hidden: !p.text.textContent });
  drawBlocks(p.rich, m, blocks, acts);
  set(p.time, { datetime: m.at, title: date(m.at) });
  write(p.time, clock(m.at));
  write(p.state, stateOf(m, acts.why(m)) + (m.repeats ? ` · came ${m.repeats + 1} times` : ""));
  set(p.state, { class: m.read && m.direction === "in" ? "state read" : "state" });
  set(p.retry, { hidden: !(m.direction === "in" && isBad(m)) });
  p.retry.onclick = () => acts.retry(m);
  drawChoices(p.choices, m, all, acts);
}

/** plainly is what blocks say, if they are nothing but texts with quick replies below them. */
function plainly(blocks) {
  const flat = blocks.flatMap((b) => (b.kind === "card" ? b.blocks ?? [] : [b])).filter((b) => !b.choice?.quick);
  return flat.every((b) => b.kind === "text") ? flat.map((b) => b.text).join("\n") : "";
}

const LINK = /https?:\/\/[^\s<>"]+[^\s<>".,;:!?)]/g;

/** linked writes a text in which web addresses can be followed. */
function linked(el, text = "") {
  if (el.shown === text) return;
  el.shown = text;
  const parts = [];
  let at = 0;
  for (const m of text.matchAll(LINK)) {
    parts.push(text.slice(at, m.index), h("a", { href: m[0], target: "_blank", rel: "noopener noreferrer" }, m[0]));
    at = m.index + m[0].length;
  }
  el.replaceChildren(...parts, text.slice(at));
}

function drawFiles(box, m, acts) {
  const files = m.media ?? [];
  set(box, { hidden: files.length === 0 });
  const key = JSON.stringify(files);
  if (box.shown === key) return;
  box.shown = key;
  box.replaceChildren(...files.map((f) => {
    const view = fileView({ url: f.show || f.url, name: f.name, size: f.size, picture: isPicture(f.mime) }, "phone-file");
    if (m.direction === "out") view.addEventListener("click", () => acts.opened(m));
    return f.error ? h("div", {}, view, h("p", { class: "file-error" }, "Could not be fetched")) : view;
  }));
}

function drawBlocks(box, m, blocks, acts) {
  set(box, { hidden: blocks.length === 0 });
  if (blocks.length && box.shown !== m.id) {
    box.shown = m.id;
    box.marked = new Set();
    box.replaceChildren(...blockViews(blocks.length === 1 && blocks[0].kind === "card" ? blocks[0].blocks : blocks, (c) => (c.many ? checkView(box, c) : buttonView(c, () => box.choose(c)))));
    if (box.querySelector(".check")) box.append(h("button", { class: "choice primary", type: "button", "data-testid": "phone-submit", onclick: () => box.several([...box.marked]) }, "Send"));
  }
  box.choose = (c) => acts.choose(m, c);
  box.several = (list) => acts.several(m, list);
  const on = acts.pressable(m);
  const taken = acts.taken(m);
  for (const b of box.querySelectorAll("button")) {
    const empty = b.dataset.testid === "phone-submit" && box.marked.size === 0;
    set(b, { disabled: !on || empty, "data-taken": taken.includes(b.title || b.textContent) ? "true" : null });
  }
}

const buttonView = (c, choose) => h("button", { class: "choice", type: "button", "data-testid": "phone-choice", "data-choice": c.id, onclick: choose }, c.title);

function checkView(box, c) {
  const b = h("button", { class: "check", type: "button", role: "checkbox", "aria-checked": "false", "data-testid": "phone-check", "data-choice": c.id }, h("span", { class: "check-box", "aria-hidden": "true" }, icon("check")), h("span", {}, c.title));
  b.addEventListener("click", () => {
    const on = !box.marked.has(c);
    on ? box.marked.add(c) : box.marked.delete(c);
    set(b, { "aria-checked": String(on) });
    set(box.querySelector('[data-testid="phone-submit"]'), { disabled: box.marked.size === 0 });
  });
  return b;
}

/** Below a message stand the answers offered with a text, or the quick replies of a card. */
function drawChoices(box, m, blocks, acts) {
  const list = m.kind === "rich" ? quick(blocks) : m.choices ?? [];
  const on = acts.choosable(m);
  set(box, { hidden: list.length === 0 });
  const shown = list.map((c) => c.id + "\u0000" + c.title).join("\u0001");
  if (box.shown !== shown) {
    box.shown = shown;
    box.replaceChildren(...list.map((c) => buttonView(c, () => box.choose(c))));
  }
  box.choose = (c) => acts.choose(m, c);
  const taken = acts.taken(m);
  for (const b of box.children) set(b, { disabled: !on, "data-taken": taken.includes(b.textContent) ? "true" : null });
}

function quick(blocks) {
  const all = [];
  const walk = (b) => {
    if (b.choice?.quick) all.push(b.choice);
    (b.blocks ?? []).forEach(walk);
  };
  blocks.forEach(walk);
  return all;
}

/** starter is a first sentence offered on an empty phone. */
export const starter = (text, use) => h("button", { class: "starter", type: "button", onclick: () => use(text) }, icon("send"), text);
