// One message on the phone.

import { h, icon, set, write } from "./dom.js";
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
    text: h("p", { class: "bubble", dir: "auto" }),
    choices: h("div", { class: "choices", hidden: true }),
    foot: h("p", { class: "bubble-foot" }),
    time: h("time"),
    state: h("span", { "data-testid": "phone-state" }),
    retry: h("button", { class: "link", type: "button", "data-testid": "phone-retry", hidden: true }, "Try again"),
  };
  const p = li.parts;
  p.foot.append(p.time, p.state, p.retry);
  li.append(p.text, p.choices, p.foot);
  return li;
}

/** updateBubble shows m as it is now. acts: { retry(m), choose(m, choice), why(m), choosable }. */
export function updateBubble(li, m, acts) {
  const p = li.parts;
  set(li, {
    class: `bubble-row ${m.direction === "in" ? "mine" : "theirs"}${m.kind === "system" ? " system" : ""}${isBad(m) ? " bad" : ""}`,
    "data-direction": m.direction, "data-kind": m.kind, "data-status": m.status, "data-read": String(Boolean(m.read)), "data-message": m.id,
  });
  write(p.text, m.text || (m.kind === "media" ? "Attachment" : m.kind === "cards" ? "Cards" : ""));
  set(p.time, { datetime: m.at, title: date(m.at) });
  write(p.time, clock(m.at));
  write(p.state, stateOf(m, acts.why(m)) + (m.repeats ? ` · came ${m.repeats + 1} times` : ""));
  set(p.state, { class: m.read && m.direction === "in" ? "state read" : "state" });
  set(p.retry, { hidden: !(m.direction === "in" && isBad(m)) });
  p.retry.onclick = () => acts.retry(m);
  updateChoices(p.choices, m, acts);
}

function updateChoices(box, m, acts) {
  const list = m.choices ?? [];
  set(box, { hidden: list.length === 0 });
  const shown = list.map((c) => c.id + "\u0000" + c.title).join("\u0001");
  if (box.shown !== shown) {
    box.shown = shown;
    box.replaceChildren(...list.map((c) => h("button", {
      class: "choice", type: "button", "data-testid": "phone-choice", "data-choice": c.id, onclick: () => box.choose(c),
    }, c.title)));
  }
  box.choose = (c) => acts.choose(m, c);
  for (const b of box.children) set(b, { disabled: !acts.choosable(m) });
}

/** starter is a first sentence offered on an empty phone. */
export const starter = (text, use) => h("button", { class: "starter", type: "button", onclick: () => use(text) }, icon("send"), text);
