// The conversation that is open on the desk: what it is built of, and how it is drawn.

import { h, icon, keyed, set, sticky, write } from "./dom.js";
import { stage, title, types } from "./desk-list.js";
import { follows, isShown, keyOf, lines, makeMessage, updateMessage } from "./transcript.js";
import { moment, prettyNumber, shortId } from "./words.js";

const item = (testid, text, note) => h("button", { class: "menu-item", type: "button", role: "menuitem", "data-testid": testid }, h("span", { class: "menu-text" }, text, note && h("small", {}, note)));

/** build returns the elements of the open conversation, and puts them into root; form is where the agent writes. */
export function build(root, form) {
  const p = {
    name: h("h3", { "data-testid": "desk-name" }), stage: h("span", { class: "stage-tag", "data-testid": "desk-stage" }),
    skill: h("span", { class: "tag", "data-testid": "desk-skill" }),
    where: h("span", { class: "case-where" }),
    showPhone: h("button", { class: "link", type: "button", "data-testid": "desk-show-phone", hidden: true }, "Show this phone"),
    temporal: h("a", { class: "link", "data-testid": "temporal-link", target: "_blank", rel: "noopener", hidden: true }, "Workflow", icon("out")),
    info: h("button", { class: "button quiet square", type: "button", "data-testid": "desk-info", "aria-label": "About this case", title: "About this case: consumer, campaign, clicks, survey", "aria-pressed": "false", "aria-controls": "desk-facts" }, icon("info")),
    join: h("button", { class: "button primary", type: "button", "data-testid": "desk-join" }, "Accept"),
    transfer: h("button", { class: "button", type: "button", "data-testid": "desk-transfer", "aria-haspopup": "menu", "aria-expanded": "false" }, "Transfer", icon("down")),
    skills: h("div", { class: "menu-body skills", role: "menu", "aria-label": "Transfer to skill", hidden: true }),
    close: h("button", { class: "button", type: "button", "data-testid": "desk-close" }, "Close"),
    closeMore: h("button", { class: "button square", type: "button", "data-testid": "desk-close-more", "aria-label": "More ways to close", "aria-haspopup": "menu", "aria-expanded": "false" }, icon("down")),
    closeBare: item("desk-close-bare", "Close without a survey"),
    closeTimeout: item("desk-close-timeout", "Close by time-out", "as the cloud does after a long silence"),
    scroll: h("div", { class: "transcript" }),
    list: h("ol", { class: "lines", "data-testid": "desk-transcript", role: "log", "aria-live": "polite", "aria-relevant": "additions", "aria-label": "Transcript" }),
    facts: h("aside", { class: "facts", id: "desk-facts", "data-testid": "desk-facts", "aria-label": "About this case", tabindex: "0", hidden: true }),
    typing: h("p", { class: "desk-typing", role: "status", "data-testid": "desk-typing", hidden: true }),
    error: h("p", { class: "inline-error", role: "alert", "data-testid": "desk-error", hidden: true }),
    survey: h("p", { class: "survey-note", "data-testid": "desk-surveying", role: "status", hidden: true }, "The survey bot is talking to the consumer. The conversation ends with it."),
    resume: h("button", { class: "button", type: "button", "data-testid": "desk-resume", title: "A new conversation that names this one" }, icon("undo"), "Resume"),
    resumeMore: h("button", { class: "button square", type: "button", "data-testid": "desk-resume-more", "aria-label": "More ways to resume", "aria-haspopup": "menu", "aria-expanded": "false" }, icon("down")),
    resumeSame: item("desk-resume-same", "Open this one again", "under its old id, as older accounts do"),
  };
  p.closeMenu = h("div", { class: "menu-body", role: "menu", "aria-label": "Close", hidden: true }, p.closeBare, p.closeTimeout);
  p.resumeMenu = h("div", { class: "menu-body up right", role: "menu", "aria-label": "Resume", hidden: true }, p.resumeSame);
  p.outcome = outcome(p);
  p.scroll.append(p.list);
  root.append(
    h("div", { class: "case-head" },
      h("div", { class: "case-name" }, p.name, p.stage, p.skill, h("span", { class: "grow" }), p.temporal, p.info),
      h("div", { class: "case-acts" }, p.where, p.showPhone, h("span", { class: "grow" }), p.join, h("div", { class: "menu" }, p.transfer, p.skills),
        h("div", { class: "menu split" }, p.close, p.closeMore, p.closeMenu))),
    h("div", { class: "case-middle" }, p.scroll, p.facts), p.typing, p.error, p.survey, form, p.outcome.root);
  return p;
}

function outcome(p) {
  const o = {
    stars: h("span", { class: "stars", role: "img", "data-testid": "desk-csat" }),
    solved: h("strong", { "data-testid": "desk-fcr" }),
    nps: h("strong", { "data-testid": "desk-nps" }),
    status: h("strong", { "data-testid": "desk-survey" }),
    closed: h("p", { class: "outcome-closed" }),
  };
  for (let i = 0; i < 5; i++) o.stars.append(icon("star"));
  o.npsBox = h("div", {}, h("dt", {}, "NPS"), h("dd", {}, o.nps));
  o.root = h("div", { class: "outcome", "data-testid": "desk-outcome", role: "status", hidden: true },
    h("div", { class: "outcome-head" }, o.closed, h("div", { class: "menu split" }, p.resume, p.resumeMore, p.resumeMenu)),
    h("dl", {},
      h("div", {}, h("dt", {}, "CSAT"), h("dd", {}, o.stars)),
      h("div", {}, h("dt", {}, "Solved at first contact"), h("dd", {}, o.solved)),
      o.npsBox,
      h("div", {}, h("dt", {}, "Survey"), h("dd", {}, o.status))));
  return o;
}

const BY = { AGENT: "by the agent", CONSUMER: "by the consumer", SYSTEM: "by the system", TIMEOUT: "by time-out" };
const SURVEY = { FILLED: "Answered", PARTIALLY_FILLED: "Partly answered", SKIPPED: "Skipped" };

const RUNS = { completed: "Answered", open: "The bot is asking", "timed out": "The bot gave up", left: "Left for something else" };

/** ratings come from the connector, or from the survey bot. */
function ratings(c, run) {
  const answer = (kind) => run?.results?.find((r) => r.kind === kind && !r.skipped);
  return {
    rate: c.csat?.csatRate ?? run?.csat ?? 0, solved: c.csat?.csatResolutionConfirmation ?? run?.fcr, nps: answer("nps")?.text ?? "",
    status: c.csat?.status ?? (c.survey && c.survey !== "none" ? c.survey.toUpperCase().replace(" ", "_") : "WAITING"),
    words: c.csat ? SURVEY[c.csat.status] ?? c.csat.status : RUNS[c.survey] ?? "Not answered yet",
  };
}

function drawOutcome(o, c, run) {
  const closed = c.stage === "CLOSE";
  set(o.root, { hidden: !closed });
  if (!closed) return;
  write(o.closed, `Closed ${BY[c.closeReason] ?? ""} at ${moment(c.endedAt)}`.replace("  ", " "));
  const { rate, solved, nps, status, words } = ratings(c, run);
  set(o.stars, { "data-rate": rate || null, "aria-label": rate ? `${rate} of 5 stars` : "Not rated" });
  [...o.stars.children].forEach((star, i) => star.classList.toggle("on", i < rate));
  write(o.solved, solved === undefined || solved === null ? "—" : solved ? "Yes" : "No");
  set(o.solved, { "data-resolved": typeof solved === "boolean" ? String(solved) : null, class: solved === true ? "good" : solved === false ? "bad" : "" });
  write(o.nps, nps);
  set(o.npsBox, { hidden: !nps });
  write(o.status, words);
  set(o.status, { "data-status": status, title: c.csat ? "Asked by Parley" : RUNS[c.survey] ? "Asked by the survey bot" : null });
}

/** drawOpen shows conversation c with its messages. facts: { skillName, channelName, temporalUi, phone, phoneShown, survey }. */
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
  set(p.join, { hidden: !open || Boolean(c.agent) || s.kind === "survey" });
  set(p.transfer, { disabled: !open || s.kind === "survey" });
  set(p.close, { disabled: !open });
  set(p.closeMore, { disabled: !open });
  set(p.survey, { hidden: s.kind !== "survey" });
  drawOutcome(p.outcome, c, facts.survey);
  sticky(p.scroll, () => {
    const shown = messages.filter(isShown);
    const all = lines(shown);
    const again = new Set(all.filter((e, i) => follows(all[i - 1], e)));
    const clicks = messages.filter((e) => e.status === "ACTION");
    const around = {
      find: (dialog, sequence) => shown.find((e) => e.dialog === dialog && e.sequence === sequence),
      pressed: (e) => clicks.filter((k) => k.dialog === e.dialog && k.sequences?.includes(e.sequence)).map((k) => k.metadata),
    };
    keyed(p.list, all, keyOf, makeMessage, (li, e) => updateMessage(li, e, { ...around, again: again.has(e) }));
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
