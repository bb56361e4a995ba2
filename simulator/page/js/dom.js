// Small helpers around the DOM. Text always goes in as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** h makes an element: h("p", { class: "x", onclick: f }, "text", child). */
export function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  set(el, props);
  el.append(...children.filter((c) => c !== null && c !== undefined && c !== false));
  return el;
}

/** set changes attributes, properties and handlers; null or false removes an attribute. */
export function set(el, props) {
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) {
      el.addEventListener(name.slice(2), value);
    } else if (name === "hidden" || name === "disabled" || name === "checked" || name === "value") {
      if (el[name] !== value) el[name] = value;
    } else if (value === null || value === undefined || value === false) {
      el.removeAttribute(name);
    } else if (el.getAttribute(name) !== String(value)) {
      el.setAttribute(name, value === true ? "" : value);
    }
  }
  return el;
}

/** write sets an element's text if it differs, so that nothing is announced twice. */
export function write(el, text) {
  if (el.textContent !== text) el.textContent = text;
  return el;
}

/** icon is one of the symbols in index.html. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", "#i-" + name);
  svg.append(use);
  return svg;
}

export const byId = (id) => document.getElementById(id);

const kept = new WeakMap();

/** keyed makes the children of box mirror items, touching only what differs. */
export function keyed(box, items, key, make, update) {
  const old = kept.get(box) ?? new Map();
  const now = new Map();
  let cursor = box.firstChild;
  for (const item of items) {
    const k = key(item);
    const el = old.get(k) ?? make(item);
    update(el, item);
    now.set(k, el);
    if (el === cursor) cursor = cursor.nextSibling;
    else box.insertBefore(el, cursor);
  }
  for (const [k, el] of old) if (!now.has(k)) el.remove();
  kept.set(box, now);
}

const ends = new WeakSet(); // boxes that are scrolled to their end

export function toEnd(box) {
  ends.add(box);
  box.scrollTop = box.scrollHeight;
}

/** pin keeps a scrolling box at its end when its size changes, until somebody scrolls away from there. */
export function pin(box) {
  let touched = 0; // a box that is scrolled by its size alone stays pinned
  const touch = () => (touched = Date.now());
  for (const name of ["wheel", "touchmove", "keydown"]) box.addEventListener(name, touch, { passive: true });
  box.addEventListener("pointerdown", () => (touched = Infinity), { passive: true });
  window.addEventListener("pointerup", () => touched === Infinity && touch(), { passive: true });
  ends.add(box);
  box.addEventListener("scroll", () => {
    if (box.scrollHeight - box.scrollTop - box.clientHeight < 40) ends.add(box);
    else if (Date.now() - touched < 1500) ends.delete(box);
  }, { passive: true });
  new ResizeObserver(() => ends.has(box) && toEnd(box)).observe(box);
}

/** sticky changes what is in a pinned box and keeps it at its end, if it was there. */
export function sticky(box, change) {
  const atEnd = ends.has(box);
  change();
  if (atEnd) toEnd(box);
}

/** grow lets a textarea be as high as its text, within its max-height. */
export function grow(area) {
  area.style.height = "auto";
  area.style.height = area.scrollHeight + "px";
}

/** enterSends submits a form on Enter, and leaves Shift+Enter and input methods alone. */
export function enterSends(area, form) {
  area.addEventListener("keydown", (e) => {
    if (e.key !== "Enter" || e.shiftKey || e.isComposing) return;
    e.preventDefault();
    form.requestSubmit();
  });
  // Keyboards that are driven send the character even so.
  area.addEventListener("keypress", (e) => e.key === "Enter" && !e.shiftKey && e.preventDefault());
}

/** nextFrame calls f once before the next frame is drawn, however often it is asked to. */
export function nextFrame(f) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      f();
    });
  };
}

/** later calls f once, some time after the last call. */
export function later(ms, f) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(f, ms);
  };
}
