// What is known about the open case: the consumer, how it came, what was clicked,
// what the survey brought.

import { h } from "./dom.js";
import { clock, moment } from "./words.js";

const yes = (v) => v !== undefined && v !== null && v !== "" && v !== false;

/** consumerOf reads the profile in both of its shapes. */
function consumerOf(profile) {
  const all = profile?.authenticatedData?.lp_sdes ?? [];
  const info = all.find((e) => e.type === "ctmrinfo")?.info ?? {};
  const who = all.find((e) => e.type === "personal")?.personal ?? {};
  const contact = who.contacts?.[0] ?? {};
  return [
    ["Name", [who.firstname ?? profile?.firstName, who.lastname ?? profile?.lastName].filter(Boolean).join(" ")],
    ["Phone", contact.phone ?? profile?.privateData?.mobileNum], ["E-mail", contact.email ?? profile?.privateData?.mail],
    ["Language", who.language], ["Company", who.company], ["Gender", who.gender], ["Age", who.age?.age],
    ["Customer", info.customerId], ["Status", info.cstatus], ["Type", info.ctype], ["User name", info.userName], ["Social id", info.socialId], ["Store", info.storeNumber],
  ];
}

const URGENCY = { NORMAL: "Normal", URGENT: "Urgent", PRIORITIZED: "Prioritized", CUSTOM: "Custom" };
const SURVEYS = { open: "Under way", completed: "Completed", "timed out": "Timed out", left: "Left" };

/** drawFacts fills the panel. facts: { skillName, campaign }. */
export function drawFacts(box, d, facts) {
  const campaign = facts.campaign ?? {};
  const context = d.context ?? {};
  const features = d.clientProperties?.features ?? [];
  const managers = (d.participants ?? []).filter((p) => p.role === "MANAGER").map((p) => p.name);
  const sections = [
    section("Consumer", consumerOf(d.profile), "facts-consumer"),
    section("Case", [
      ["Skill", facts.skillName(d.skill)], ["Agent", d.agent], ["Manager", managers.join(", ")],
      ["Urgency", (URGENCY[d.ttr] ?? d.ttr) + (d.ttrValue ? ` (${d.ttrValue} s)` : "")],
      ["Campaign", campaign.campaignId], ["Engagement", campaign.engagementId], ["Entry", context.type], ["Entry language", context.lang],
      ["Opened", moment(d.startedAt)], ["First message", yes(d.firstMessageMs) ? `${d.firstMessageMs} ms after` : ""], ["Welcomed", d.welcomed ? "by the controller bot" : ""],
      ["Away until", d.delay ? moment(d.delay.tillWhen) : ""], ["Resumes", d.origin ? d.origin.slice(0, 8) : ""],
    ], "facts-case"),
    d.clicks?.length > 0 && h("section", { "data-testid": "facts-clicks" }, h("h4", {}, "Clicked"),
      ...d.clicks.map((c) => h("details", { class: "fact-click" },
        h("summary", {}, h("b", {}, c.title || c.text || "Element"), h("span", { class: "muted" }, " " + clock(c.at) + (c.action && c.said ? "" : c.action ? " · ACTION only" : " · text only"))),
        h("pre", { class: "code" }, JSON.stringify(c.metadata, null, 1))))),
    survey(d.surveyRun),
    features.length > 0 && h("section", {}, h("h4", {}, "Channel can"), h("p", { class: "fact-tags" }, ...features.map((f) => h("span", { class: "tag" }, f.toLowerCase().replaceAll("_", " "))))),
  ].filter(Boolean);
  box.replaceChildren(...sections);
}

function section(title, pairs, testid) {
  const shown = pairs.filter(([, v]) => yes(v));
  return shown.length > 0 && h("section", { "data-testid": testid }, h("h4", {}, title), h("dl", {}, ...shown.map(([k, v]) => h("div", {}, h("dt", {}, k), h("dd", {}, String(v))))));
}

function survey(run) {
  if (!run || run.state === "none") return null;
  const pairs = [["State", SURVEYS[run.state] ?? run.state], ...run.results.map((r) => [kindOf(r.kind), r.skipped ? "skipped" : r.text])];
  return section("Survey", pairs, "facts-survey");
}

const kindOf = (kind) => ({ csat: "CSAT", fcr: "FCR", nps: "NPS", text: "Comment" })[kind] ?? kind;

/** campaignOf finds the campaign a conversation was opened with, in its CONVERSATION request. */
export function campaignOf(entries) {
  for (const e of entries) {
    try {
      const asked = JSON.parse(e.request?.body ?? "").find?.((q) => q.type === "cm.ConsumerRequestConversation");
      if (asked?.body?.campaignInfo) return asked.body.campaignInfo;
    } catch {
      // Cut off, or not JSON.
    }
  }
  return null;
}
