// The list of conversations on the desk.

import { byId, h, keyed, set, write } from "./dom.js";
import { clock, date, initials, prettyNumber } from "./words.js";

/** title is how a conversation is called: by the consumer's name, else by what is known. */
export const title = (c) => c.name || prettyNumber(c.phone?.consumer) || "Unknown consumer";

/** stage is where a conversation stands, in a word people use. */
export function stage(c) {
  if (c.stage === "CLOSE") return { word: "Closed", kind: "closed" };
  if (c.survey === "open") return { word: "Survey", kind: "survey" };
  return c.agent ? { word: "Open", kind: "open" } : { word: "Waiting", kind: "waiting" };
}

/** types says whether the consumer is typing, in a conversation that still takes it. */
export const types = (c) => c.stage !== "CLOSE" && Boolean(c.typing?.consumer);

const ROLES = { CONSUMER: "", ASSIGNED_AGENT: "You: ", MANAGER: "Manager: ", CONTROLLER: "Automatic: ", AGENT: "Survey: " };

function makeItem(choose) {
  const button = h("button", { class: "conversation", type: "button", "data-testid": "desk-conversation" });
  const li = h("li", {}, button);
  li.button = button;
  li.parts = {
    avatar: h("span", { class: "avatar small", "aria-hidden": "true" }),
    name: h("strong"), time: h("time"), last: h("span", { class: "conversation-last" }),
    skill: h("span", { class: "tag" }), stage: h("span", { class: "stage-tag" }),
    unread: h("span", { class: "unread", "data-testid": "desk-unread", hidden: true }),
  };
  const p = li.parts;
  button.append(p.avatar,
    h("span", { class: "conversation-top" }, p.name, p.time),
    h("span", { class: "conversation-mid" }, p.last, p.unread),
    h("span", { class: "conversation-tags" }, p.stage, p.skill));
  button.addEventListener("click", () => choose(li.conversation));
  return li;
}

function updateItem(li, c, selected, skillName) {
  li.conversation = c.id;
  const p = li.parts;
  const s = stage(c);
  set(li.button, {
    "data-conversation": c.id, "data-stage": c.stage, "aria-current": c.id === selected ? "true" : null,
    class: `conversation ${s.kind}`,
  });
  write(p.avatar, initials(title(c)) || "?");
  write(p.name, title(c));
  set(p.time, { datetime: c.updatedAt, title: date(c.updatedAt) });
  write(p.time, clock(c.updatedAt));
  write(p.last, types(c) ? "is typing…" : (ROLES[c.lastRole] ?? "") + (c.last || (c.messages > 0 ? "File" : "No message yet")));
  set(p.last, { class: types(c) ? "conversation-last is-typing" : "conversation-last" });
  write(p.stage, s.word);
  set(p.stage, { class: "stage-tag " + s.kind });
  write(p.skill, skillName(c.skill));
  const unread = c.state === "OPEN" ? c.unread : 0;
  write(p.unread, unread > 0 ? String(unread) : "");
  set(p.unread, { hidden: !(unread > 0), "aria-label": `${unread} unread` });
}

/** drawList shows the conversations; choose(id) is called for the one that is clicked. */
export function drawList(conversations, selected, skillName, choose) {
  const list = byId("desk-list");
  set(list, { hidden: conversations.length === 0 });
  keyed(list, conversations, (c) => c.id, () => makeItem(choose), (li, c) => updateItem(li, c, selected, skillName));
}

/** arrowKeys moves along the list with the arrow keys. */
export function arrowKeys(list) {
  list.addEventListener("keydown", (e) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (!step) return;
    const buttons = [...list.querySelectorAll("button")];
    const next = buttons[buttons.indexOf(document.activeElement) + step];
    if (!next) return;
    e.preventDefault();
    next.focus();
  });
}
