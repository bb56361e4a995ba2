// Pictures and files: the samples that come with the page, and which pictures of
// others the page shows. Nothing is ever fetched from outside.

export const SAMPLES = [
  { name: "parcel.jpg", title: "Broken mug", mime: "image/jpeg" },
  { name: "receipt.png", title: "Receipt", mime: "image/png" },
  { name: "runner-red.jpg", title: "Red runner", mime: "image/jpeg" },
  { name: "return-label.pdf", title: "Return label", mime: "application/pdf" },
];

const OURS = new Set(["parcel.jpg", "receipt.png", "runner-blue.jpg", "runner-red.jpg", "runner-green.jpg", "store.jpg"]);
const LOCAL = new Set(["127.0.0.1", "localhost", "[::1]"]);

export const MOST = 20 << 20; // bytes of a file the page takes

/** sampleURL is where a built-in file is. */
export const sampleURL = (name) => "pictures/" + name;

/**
 * shown returns the address under which a picture can be shown here, or "". Pictures
 * of the sample cards (shop.example) come with the page; of other hosts, only this
 * machine is asked.
 */
export function shown(url = "") {
  if (url.startsWith("data:image/")) return url;
  try {
    const u = new URL(url, location.href);
    const name = u.pathname.split("/").pop();
    if (u.hostname.endsWith(".example") && OURS.has(name)) return sampleURL(name);
    return u.host === location.host || LOCAL.has(u.hostname) ? u.href : "";
  } catch {
    return "";
  }
}

/** safe returns a link if it leads to the web, otherwise "". */
export function safe(url = "") {
  try {
    const u = new URL(url, location.href);
    return ["http:", "https:"].includes(u.protocol) ? u.href : "";
  } catch {
    return "";
  }
}

export function hostOf(url) {
  try {
    return new URL(url, location.href).hostname;
  } catch {
    return "";
  }
}

/** bytes is a size for people. */
export function bytes(n) {
  if (!(n > 0)) return "";
  if (n < 1024) return n + " B";
  return n < 1 << 20 ? Math.round(n / 1024) + " KB" : (n / (1 << 20)).toFixed(1) + " MB";
}

/** sample reads a built-in file as the browser would give one of a person's. */
export async function sample(s) {
  const response = await fetch(sampleURL(s.name));
  return new File([await response.blob()], s.name, { type: s.mime });
}

/** base64 is what a file holds, for JSON. */
export async function base64(file) {
  const all = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let i = 0; i < all.length; i += 0x8000) text += String.fromCharCode(...all.subarray(i, i + 0x8000));
  return btoa(text);
}

/** ending is the type of a file by its name: JPG, PDF, … */
export const ending = (name = "") => (/\.([^./]+)$/.exec(name)?.[1] ?? "").toUpperCase();

const MIMES = { JPG: "image/jpeg", JPEG: "image/jpeg", PNG: "image/png", GIF: "image/gif" };

/** isPicture goes by a MIME type or, without one, by a LivePerson file type. */
export const isPicture = (mime, type = "") => (mime || MIMES[type.toUpperCase()] || "").startsWith("image/");
