// Headers and bodies of requests, for people.

import { h } from "./dom.js";

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** paint puts JSON text into a <pre>, its parts in colours. */
function paint(text) {
  const pre = h("pre", { class: "code", tabindex: "0" });
  let at = 0;
  for (const m of text.matchAll(TOKEN)) {
    pre.append(text.slice(at, m.index));
    const kind = m[2] ? "key" : m[1] ? "string" : m[3] ? "word" : "number";
    pre.append(h("span", { class: "j-" + kind }, m[1] ?? m[0]));
    if (m[2]) pre.append(m[2]);
    at = m.index + m[0].length;
  }
  pre.append(text.slice(at));
  return pre;
}

/** pairs shows names and values; strong(name) says which ones matter most. */
function pairs(list, strong = () => false) {
  const dl = h("dl", { class: "pairs" });
  for (const [name, value] of list) {
    dl.append(h("div", { class: strong(name) ? "strong" : null }, h("dt", {}, name), h("dd", {}, value)));
  }
  return dl;
}

const proves = (name) => /signature|^webhook-(id|timestamp)$|^authorization$|on-behalf/i.test(name);

/** headers shows those that prove who sent the request; the others can be opened. */
export function headers(map = {}) {
  const list = Object.entries(map).sort(([a], [b]) => a.localeCompare(b));
  const proofs = list.filter(([name]) => proves(name));
  const others = list.filter(([name]) => !proves(name));
  const more = `${others.length} ${proofs.length ? "more " : ""}header${others.length === 1 ? "" : "s"}`;
  return h("div", {},
    proofs.length > 0 && pairs(proofs, proves),
    others.length > 0 && h("details", {}, h("summary", {}, more), pairs(others)));
}

/** body shows JSON indented, a form as pairs, and anything else as it came. */
export function body(text, contentType = "") {
  if (!text) return h("p", { class: "muted" }, "Empty");
  try {
    return paint(JSON.stringify(JSON.parse(text), null, 2));
  } catch {
    // Not JSON, or cut off.
  }
  if (contentType.includes("form-urlencoded")) return pairs([...new URLSearchParams(text)]);
  return h("pre", { class: "code", tabindex: "0" }, text);
}

export function contentType(map = {}) {
  const name = Object.keys(map).find((n) => n.toLowerCase() === "content-type");
  return name ? map[name] : "";
}
