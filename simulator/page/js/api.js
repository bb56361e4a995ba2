// Calls of the simulator's control API (see simulator/doc.go).

/** Refused is an answer that is an error; its message is meant for people. */
export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function call(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined || body instanceof Blob ? {} : { "Content-Type": "application/json" },
      body: body === undefined || body instanceof Blob ? body : JSON.stringify(body),
    });
  } catch {
    throw new Refused(0, "The simulator does not answer. Is it still running?");
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Refused(response.status, answer?.error ?? `The simulator answered ${response.status}.`);
  return answer;
}

export const get = (path) => call("GET", path);
export const post = (path, body = {}) => call("POST", path, body);
export const put = (path, body) => call("PUT", path, body);
export const patch = (path, body) => call("PATCH", path, body);

/** upload sends a file as it is, with what is to be known of it in the query. */
export const upload = (path, file, query) => call("POST", path + "?" + new URLSearchParams(query), file);

const enc = encodeURIComponent;
export const phonePath = (channel, consumer, act = "") => `/sim/phones/${enc(channel)}/${enc(consumer)}${act && "/" + act}`;
export const conversationPath = (id, act = "") => `/sim/conversations/${enc(id)}${act && "/" + act}`;
