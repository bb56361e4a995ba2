// Structured content as people see it. The phone gets Parley's blocks; of an
// agent's card, as LivePerson has it, the same blocks are made here.

import { h, icon } from "./dom.js";
import { pictureTile } from "./file-view.js";
import { hostOf, safe, sampleURL } from "./pictures.js";

/**
 * blockViews shows blocks. choiceView(choice) makes what can be pressed; quick
 * replies are left out, as they stand below the message.
 */
export const blockViews = (blocks, choiceView) => (blocks ?? []).filter((b) => !b.choice?.quick).map((b) => blockView(b, choiceView));

function blockView(b, choiceView) {
  switch (b.kind) {
    case "text":
      return h("p", { class: `block-text${b.bold ? " bold" : ""}${b.large ? " large" : ""}`, dir: "auto" }, b.text);
    case "image":
      return pictureTile(b.url, b.text);
    case "link":
      return linkView(safe(b.url), "link", b.text || b.url, hostOf(b.url));
    case "place":
      return placeView(b);
    case "fact":
      return h("p", { class: "block-fact" }, h("span", {}, b.text), h("b", {}, b.value));
    case "choice":
      return choiceView(b.choice);
    case "carousel":
      return h("div", { class: "carousel", tabindex: "0", role: "group", "aria-label": `${(b.blocks ?? []).length} cards to look through` }, ...boxed(b.blocks, choiceView));
    case "row":
      return h("div", { class: "block-row" }, ...blockViews(b.blocks, choiceView));
    default:
      return h("div", { class: b.kind === "list" ? "block-list" : "block-group" }, b.text && h("p", { class: "block-text bold" }, b.text), ...blockViews(b.blocks, choiceView));
  }
}

const boxed = (blocks, choiceView) => (blocks ?? []).map((b) => h("div", { class: "card" }, ...blockViews(b.kind === "card" ? b.blocks : [b], choiceView)));

function linkView(href, name, title, note) {
  const body = [icon(name), h("span", { class: "block-link-text" }, h("b", {}, title), note && h("small", {}, note))];
  return href ? h("a", { class: "block-link", href, target: "_blank", rel: "noopener noreferrer" }, ...body) : h("span", { class: "block-link" }, ...body);
}

/** placeView shows a drawing, not a map: nothing is asked of a map's service. */
function placeView(b) {
  const la = Number(b.latitude), lo = Number(b.longitude);
  return h("div", { class: "block-place" },
    h("img", { src: sampleURL("store.jpg"), alt: "" }),
    linkView(`https://maps.google.com/?q=${la},${lo}`, "pin", b.text || "Open the map", `${la.toFixed(4)}, ${lo.toFixed(4)}`));
}

/** fromCard makes blocks of an agent's content, in the order in which it is read. */
export function fromCard(content) {
  const out = [];
  const metadata = (c) => c?.metadata ?? null;
  const pressable = (e) => (e.click?.actions ?? []).some((a) => a?.type === "publishText" || a?.type === "checked" || a?.type === "datePicker" || a?.type === "scheduleSlotList");
  const walk = (e, to) => {
    if (!e || typeof e !== "object") return;
    const inner = (kind, extra = {}) => {
      const b = { kind, ...extra, blocks: [] };
      for (const x of Array.isArray(e.elements) ? e.elements : []) walk(x, b.blocks);
      if (b.blocks.length) to.push(b);
    };
    switch (e.type) {
      case "vertical": return inner("card");
      case "horizontal": return inner("row");
      case "carousel":
      case "carouselSelect":
      case "tabs": return inner("carousel");
      case "text": return to.push({ kind: "text", text: String(e.text ?? ""), bold: e.style?.bold === true, large: e.style?.size === "large" });
      case "image": to.push({ kind: "image", url: String(e.url ?? ""), text: e.caption }); break;
      case "map": return to.push({ kind: "place", latitude: e.la, longitude: e.lo, text: (e.click?.actions ?? []).find((a) => a?.name)?.name ?? e.tooltip });
      case "linkPreview": return to.push({ kind: "link", url: String(e.url ?? ""), text: e.title });
      case "keyValuePairList": return (Array.isArray(e.elements) ? e.elements : []).forEach((x) => to.push({ kind: "fact", text: String(x?.key ?? ""), value: String(x?.value ?? "") }));
      case "checkbox": return to.push({ kind: "choice", choice: { title: String(e.text ?? ""), many: true, metadata: metadata(e.click) } });
      case "submitButton": return to.push({ kind: "choice", choice: { title: String(e.title ?? ""), submit: true, metadata: metadata(e.click) } });
      case "button": break;
      default: return inner("list", { text: e.title });
    }
    const link = (e.click?.actions ?? []).find((a) => a?.type === "link");
    if (e.type === "button" && !pressable(e) && link) to.push({ kind: "link", url: link.uri, text: e.title });
    else if (e.type === "button" || pressable(e)) to.push({ kind: "choice", choice: { title: String(e.title ?? e.caption ?? "Choose"), metadata: metadata(e.click) } });
  };
  walk(content, out);
  return out.length === 1 && out[0].kind === "card" ? out[0].blocks : out;
}

/** quickOf lists the quick replies that go with a message. */
export function quickOf(event) {
  const list = event?.quickReplies?.replies;
  return Array.isArray(list) ? list.map((r) => ({ title: String(r?.title ?? ""), metadata: r?.click?.metadata ?? null, quick: true })) : [];
}

/** choicesOf lists everything that can be pressed in a message, in reading order. */
export function choicesOf(event) {
  const all = [];
  const walk = (b) => {
    if (b.choice) all.push(b.choice);
    (b.blocks ?? []).forEach(walk);
  };
  fromCard(event?.content).forEach(walk);
  return [...all, ...quickOf(event)];
}

/** sameMetadata compares what was offered with what came back, whatever the order of its members. */
export const sameMetadata = (a, b) => Boolean(a) && oneForm(a) === oneForm(b ?? []);

const oneForm = (v) => JSON.stringify(v, (_, x) => (x && typeof x === "object" && !Array.isArray(x) ? Object.fromEntries(Object.entries(x).sort(([m], [n]) => (m < n ? -1 : 1))) : x));
