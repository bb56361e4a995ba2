// A button with something that opens below it.

/** menu wires a button to its body; Escape, a click elsewhere or leaving it by keyboard close it. */
export function menu(button, body) {
  const toggle = (open) => {
    if (body.hidden !== open) return;
    body.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) body.querySelector("button, input, select")?.focus();
  };
  const inside = (node) => button.contains(node) || body.contains(node);
  button.addEventListener("click", () => toggle(body.hidden));
  document.addEventListener("pointerdown", (e) => inside(e.target) || toggle(false));
  body.addEventListener("focusout", (e) => e.relatedTarget && !inside(e.relatedTarget) && toggle(false));
  for (const el of [button, body]) {
    el.addEventListener("keydown", (e) => {
      if (e.key !== "Escape" || body.hidden) return;
      toggle(false);
      button.focus();
    });
  }
  return { close: () => toggle(false) };
}
