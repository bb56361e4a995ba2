// One request on the wire, as a rung of the ladder.

import { h, set } from "./dom.js";
import { bytes } from "./pictures.js";
import { millis, took } from "./words.js";

const CHANNEL = new Set(["twilio", "http", "sms", "status", "events", "media"]);
const DESK = new Set(["agent", "login", "install"]); // agent programs and operators, at the cloud's other side

/** side is where the other end of a request is: at the channel's provider or in the cloud. */
export function side(e) {
  if (CHANNEL.has(e.class)) return "channel";
  if (DESK.has(e.class)) return "desk";
  if (e.class === "emit") return e.channel ? "channel" : "cloud";
  return "cloud";
}

/** route says who called whom. */
export function route(e) {
  if (side(e) === "desk") return ["Agent program", "Conversational Cloud"];
  const other = side(e) === "channel" ? "Channel" : "Conversational Cloud";
  return e.direction === "in" ? ["Parley", other] : [other, "Parley"];
}

const WORDS = {
  domain: "Where is the service?", token: "App token", consumer: "Consumer token", conversation: "Open conversation", send: "Send",
  twilio: "SMS to the phone", http: "To the phone", sms: "SMS from the phone", status: "Delivery status", events: "From the phone",
  webhook: "Notification", emit: "Raw request", swift: "File store", monitoring: "Campaign and engagement?", media: "File", agent: "Agent program", login: "Agent program logs in",
};

// Summaries of the simulator's that want other words.
const SAYS = [
  [/^file GET$/, () => "File from the cloud’s store"],
  [/^file PUT, (\d+) bytes$/, (m) => `File to the cloud’s store, ${bytes(Number(m[1]))}`],
  [/^URL for an upload$/, () => "Where may a file go?"],
  [/^URL for a download$/, () => "Where is the agent’s file?"],
  [/^engagement$/, () => "Campaign and engagement?"],
  [/^provider fetches a file$/, () => "The channel fetches a file"],
  [/^file of an MMS$/, () => "Parley asks for the picture"],
  [/^file of a (visitor|provider)$/, () => "Parley fetches the file"],
  [/^(\w+): RichContentEvent$/, (m) => `${m[1]}: card`],
  [/^(\w+): ACTION$/, (m) => `${m[1]}: click (ACTION)`],
  [/^rich → phone$/, () => "card → phone"],
  [/^media → phone$/, () => "file → phone"],
  [/^choices → phone$/, () => "text with buttons → phone"],
  [/^reply ← phone$/, () => "button ← phone"],
];

const FIELDS = { ConversationStateField: "close the conversation", CSATRate: "CSAT rating", DialogChange: "close the dialog" };

/** headline is what a request is about; which conversation it is of says the filter. */
export function headline(e) {
  const [, what] = /^(.*) → conversation ?\S*$/.exec(e.summary) ?? [];
  const text = what ? FIELDS[what] ?? "consumer: " + what : e.summary.replace(/^conversation \w{8} /, "conversation ");
  for (const [pattern, says] of SAYS) {
    const m = pattern.exec(text);
    if (m) return says(m);
  }
  return text || WORDS[e.class] || e.class;
}

export const isBad = (e) => e.status === 0 || e.status >= 400;

export function tone(e) {
  if (e.status === 429 || (e.fault && !isBad(e))) return "warn";
  return isBad(e) ? "bad" : "good";
}

/** shortPath leaves out what is the same in all requests of a kind. */
const shortPath = (path) => path.replace(/\?.*$/, "").replace(/^.*\/account\/[^/]+\/|^.*\/Accounts\/[^/]+\//, "…/").replace(/^…\/messaging\/consumer\//, "…/").replace(/^\/v1\/AUTH_async-images\/[^/]+\//, "…/").replace(/^…\/Messages\/[^/]+\/Media\//, "…/Media/");

export function makeRow(e, open) {
  const [from, to] = route(e);
  const arrow = h("span", { class: "rung", "aria-hidden": "true" }, h("i", { class: "arrow" }));
  const what = h("span", { class: "row-what" },
    h("span", { class: "row-head" }, h("b", {}, headline(e)), e.attempt > 1 && h("span", { class: "tag" }, "attempt " + e.attempt), e.fault && h("span", { class: "tag fault" }, e.fault)),
    h("span", { class: "row-path" }, h("span", { class: "method" }, e.method), " ", shortPath(e.path)));
  const answer = h("span", { class: "row-answer" },
    h("span", { class: "status " + tone(e) }, e.status ? String(e.status) : "—"), h("span", { class: "ms" }, took(e.ms)));
  const button = h("button", {
    class: "row", type: "button", "data-testid": "wire-row", "data-id": e.id, "data-class": e.class, "data-status": e.status,
    "data-side": side(e), "data-direction": e.direction, "data-tone": tone(e), title: `${millis(e.at)} · ${from} → ${to}${e.rejected ? " · " + e.rejected : ""}${e.error ? " · " + e.error : ""}`,
    "aria-label": `${from} to ${to}: ${headline(e)}, ${e.method}, ${e.status || "no answer"}, ${took(e.ms)}`,
    onclick: () => open(e.id),
  }, arrow, what, answer);
  return h("li", {}, button);
}

export function markChosen(li, chosen) {
  set(li.firstChild, { "aria-current": chosen ? "true" : null });
}

