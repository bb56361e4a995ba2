// The conversation that is open on the desk: what it is built of, and how it is drawn.

import { h, icon, keyed, set, sticky, write } from "./dom.js";
import { stage, title, types } from "./desk-list.js";
import { follows, isShown, keyOf, makeMessage, updateMessage } from "./transcript.js";
import { moment, prettyNumber, shortId } from "./words.js";

/** build returns the elements of the open conversation, and puts them into root. */
export function build(root) {
  const p = {
    name: h("h3", { "data-testid": "desk-name" }), stage: h("span", { class: "stage-tag", "data-testid": "desk-stage" }),
    skill: h("span", { class: "tag", "data-testid": "desk-skill" }),
    where: h("span", { class: "case-where" }),
    showPhone: h("button", { class: "link", type: "button", "data-testid": "desk-show-phone", hidden: true }, "Show this phone"),
    temporal: h("a", { class: "link", "data-testid": "temporal-link", target: "_blank", rel: "noopener", hidden: true }, "Workflow", icon("out")),
    join: h("button", { class: "button primary", type: "button", "data-testid": "desk-join" }, "Accept"),
    transfer: h("button", { class: "button", type: "button", "data-testid": "desk-transfer", "aria-haspopup": "menu", "aria-expanded": "false" }, "Transfer", icon("down")),
    skills: h("div", { class: "menu-body skills", role: "menu", "aria-label": "Transfer to skill", hidden: true }),
    close: h("button", { class: "button", type: "button", "data-testid": "desk-close" }, "Close"),
    scroll: h("div", { class: "transcript" }),
    list: h("ol", { class: "lines", "data-testid": "desk-transcript", role: "log", "aria-live": "polite", "aria-relevant": "additions", "aria-label": "Transcript" }),
    typing: h("p", { class: "desk-typing", role: "status", "data-testid": "desk-typing", hidden: true }),
    error: h("p", { class: "inline-error", role: "alert", "data-testid": "desk-error", hidden: true }),
    form: h("form", { class: "composer" }),
    input: h("textarea", { rows: "1", "data-testid": "desk-input", "aria-label": "Message from the agent", enterkeyhint: "send" }),
    note: h("button", { class: "round quiet", type: "button", "data-testid": "desk-note", "aria-pressed": "false", "aria-label": "Private note", title: "Private note: for agents only, never sent to the consumer" }, icon("note")),
    send: h("button", { class: "round", type: "submit", "data-testid": "desk-send", "aria-label": "Send from the desk", disabled: true }, icon("send")),
    outcome: outcome(),
  };
  p.form.append(p.note, p.input, p.send);
  p.scroll.append(p.list);
  root.append(
    h("div", { class: "case-head" },
      h("div", { class: "case-name" }, p.name, p.stage, p.skill, h("span", { class: "grow" }), p.temporal),
      h("div", { class: "case-acts" }, p.where, p.showPhone, h("span", { class: "grow" }), p.join, h("div", { class: "menu" }, p.transfer, p.skills), p.close)),
    p.scroll, p.typing, p.error, p.form, p.outcome.root);
  return p;
}

function outcome() {
  const o = {
    stars: h("span", { class: "stars", role: "img", "data-testid": "desk-csat" }),
    solved: h("strong", { "data-testid": "desk-fcr" }),
    status: h("strong", { "data-testid": "desk-survey" }),
    closed: h("p", { class: "outcome-closed" }),
  };
  for (let i = 0; i < 5; i++) o.stars.append(icon("star"));
  o.root = h("div", { class: "outcome", "data-testid": "desk-outcome", role: "status", hidden: true }, o.closed,
    h("dl", {},
      h("div", {}, h("dt", {}, "CSAT"), h("dd", {}, o.stars)),
      h("div", {}, h("dt", {}, "Solved at first contact"), h("dd", {}, o.solved)),
      h("div", {}, h("dt", {}, "Survey"), h("dd", {}, o.status))));
  return o;
}

const BY = { AGENT: "by the agent", CONSUMER: "by the consumer", SYSTEM: "by the system", TIMEOUT: "by time-out" };
const SURVEY = { FILLED: "Answered", PARTIALLY_FILLED: "Partly answered", SKIPPED: "Skipped" };

function drawOutcome(o, c) {
  const closed = c.stage === "CLOSE";
  set(o.root, { hidden: !closed });
  if (!closed) return;
  write(o.closed, `Closed ${BY[c.closeReason] ?? ""} at ${moment(c.endedAt)}`.replace("  ", " "));
  const rate = c.csat?.csatRate ?? 0;
  const solved = c.csat?.csatResolutionConfirmation;
  set(o.stars, { "data-rate": rate || null, "aria-label": rate ? `${rate} of 5 stars` : "Not rated" });
  [...o.stars.children].forEach((star, i) => star.classList.toggle("on", i < rate));
  write(o.solved, solved === undefined || solved === null ? "—" : solved ? "Yes" : "No");
  set(o.solved, { "data-resolved": typeof solved === "boolean" ? String(solved) : null, class: solved === true ? "good" : solved === false ? "bad" : "" });
  write(o.status, c.csat ? SURVEY[c.csat.status] ?? c.csat.status : "Not answered yet");
  set(o.status, { "data-status": c.csat?.status ?? "WAITING" });
}

/** drawOpen shows conversation c with its messages. facts: { skillName, channelName, temporalUi, phone, phoneShown, note }. */
export function drawOpen(p, c, messages, facts) {
  const s = stage(c);
  const open = s.kind !== "closed";
  write(p.name, title(c));
  write(p.stage, s.word);
  set(p.stage, { class: "stage-tag " + s.kind });
  write(p.skill, facts.skillName(c.skill));
  write(p.where, whereabouts(c, facts));
  set(p.where, { title: "Conversation " + c.id });
  set(p.temporal, { hidden: !facts.temporalUi, href: facts.temporalUi ? workflowLink(facts.temporalUi, c.id) : null });
  set(p.showPhone, { hidden: !facts.phone || facts.phoneShown });
  set(p.join, { hidden: !open || Boolean(c.agent) });
  set(p.transfer, { disabled: !open });
  set(p.close, { disabled: !open });
  set(p.form, { hidden: !open, class: facts.note ? "composer note" : "composer" });
  set(p.note, { "aria-pressed": String(facts.note) });
  set(p.input, { placeholder: facts.note ? "A note only agents see" : c.agent ? "Write to " + title(c) : "Your answer accepts the conversation" });
  drawOutcome(p.outcome, c);
  sticky(p.scroll, () => {
    const shown = messages.filter(isShown);
    const again = new Set(shown.filter((e, i) => follows(shown[i - 1], e)));
    keyed(p.list, shown, keyOf, makeMessage, (li, e) => updateMessage(li, e, again.has(e)));
    write(p.typing, types(c) ? title(c) + " is typing…" : "");
    set(p.typing, { hidden: !types(c) });
  });
}

/** whereabouts names the channel, and the consumer there unless the title does already. */
function whereabouts(c, { phone, channelName }) {
  if (!phone) return "Conversation " + shortId(c.id);
  const consumer = prettyNumber(phone.consumer);
  return channelName(phone.channel) + (consumer === title(c) ? "" : " · " + consumer);
}

/** workflowLink is Temporal's list of workflows, narrowed to a conversation's. */
export function workflowLink(ui, id) {
  return `${ui.replace(/\/+$/, "")}/namespaces/default/workflows?query=${encodeURIComponent(`ParleyConversation="${id}"`)}`;
}
