// A file in a message, on the phone or on the desk.

import { h, icon } from "./dom.js";
import { bytes, ending, hostOf, safe, shown } from "./pictures.js";

/**
 * fileView shows { url, preview, name, type, size, picture }: a picture that can be
 * opened, or a document with its name.
 */
export function fileView(f, testid) {
  const link = shown(f.url) || safe(f.url);
  const face = shown(f.url) || shown(f.preview);
  const about = [f.type || ending(f.name), bytes(f.size)].filter(Boolean).join(" · ");
  const open = link ? { href: link, target: "_blank", rel: "noopener" } : {};
  if (f.picture && face) {
    const img = h("img", { src: face, alt: f.name || "Picture", "data-testid": testid + "-picture" });
    img.addEventListener("error", () => {
      if (f.preview && img.src !== f.preview) img.src = f.preview;
      else img.closest("a").classList.add("broken");
    });
    return h("a", { class: "picture", ...open, "data-testid": testid, title: [f.name, about].filter(Boolean).join(" · ") }, img);
  }
  return h("a", { class: "document", ...open, "data-testid": testid },
    h("span", { class: "file-type", "aria-hidden": "true" }, icon(f.picture ? "image" : "file")),
    h("span", { class: "document-text" }, h("b", {}, f.name || (f.picture ? "Picture" : "File")), h("small", {}, about || hostOf(f.url))));
}

/** pictureTile is a picture of structured content; one from elsewhere is only named. */
export function pictureTile(url, caption) {
  const src = shown(url);
  return h("figure", { class: "tile" },
    src ? h("img", { src, alt: caption || "" }) : h("span", { class: "tile-none" }, icon("image"), hostOf(url) || "picture"),
    caption && h("figcaption", {}, caption));
}
