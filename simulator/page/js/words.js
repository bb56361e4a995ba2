// How times, people and states are written.

const minute = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const second = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** bareClock is the time as a phone shows it, without "PM". */
export const bareClock = () => minute.formatToParts(new Date()).filter((p) => p.type !== "dayPeriod").map((p) => p.value).join("").trim();

export const clock = (at) => (at ? minute.format(new Date(at)) : "");
export const moment = (at) => (at ? second.format(new Date(at)) : "");
export const date = (at) => (at ? full.format(new Date(at)) : "");

/** millis is the time of day for people who compare requests: 12:03:04.567. */
export function millis(at) {
  const d = new Date(at);
  const two = (n) => String(n).padStart(2, "0");
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}.${String(d.getMilliseconds()).padStart(3, "0")}`;
}

export function took(ms) {
  if (ms >= 1000) return (ms / 1000).toFixed(1) + " s";
  return (ms >= 10 ? Math.round(ms) : ms.toFixed(1)) + " ms";
}

/** initials stand in a round picture; of a number they are its last digits. */
export function initials(name) {
  if (/^\+?[\d ]+$/.test(name)) return name.slice(-2);
  const parts = String(name).trim().split(/\s+/).filter((p) => /\p{L}/u.test(p));
  if (parts.length === 0) return "";
  const letters = parts.length === 1 ? [parts[0]] : [parts[0], parts[parts.length - 1]];
  return letters.map((p) => [...p][0].toUpperCase()).join("");
}

/** channelTitle is what people call a channel. */
export function channelTitle(channel) {
  if (channel.kind === "twilio") return channel.name === "sms" ? "SMS" : `SMS · ${channel.name}`;
  if (channel.kind === "http") return channel.name === "web" ? "Web chat" : `Chat · ${channel.name}`;
  return channel.name;
}

/** prettyNumber makes North American numbers readable and leaves others alone. */
export function prettyNumber(number) {
  const m = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(number ?? "");
  return m ? `+1 ${m[1]} ${m[2]} ${m[3]}` : number ?? "";
}

export const shortId = (id) => String(id).split("-")[0].slice(0, 8);
