import { longestFarewell, longestQuery, patience } from "./limits.js";

/** An answer that says that what was asked is not allowed, or wrong. */
export class Refusal extends Error {}
export const notAnAnswer = "not an answer of NovComet";

/** @typedef {[name: string, value: string][]} Form */

/** @type {(url: string, form: Form, signal: AbortSignal, options?: RequestInit) => Promise<Response>} */
export const request = (url, form, signal, options = {}) => {
  const query = new URLSearchParams(form);
  if (!options.method && (query.has("token") || `${query}`.length > longestQuery)) { // A web server logs URLs.
    options = { ...options, method: "POST", body: query };
  } else url += (url.includes("?") ? "&" : "?") + query;
  // Without no-store a browser delays a request until the same request of another tab is answered.
  return fetch(url, { cache: "no-store", signal, ...options });
};

/**
 * Returns the answer to a request that takes at most this long.
 * @type {(url: string, form: Form, seconds: number, abort: AbortController, options?: RequestInit)
 * => Promise<any>}
 */
export const ask = async (url, form, seconds, abort, options) => {
  const timer = setTimeout(() => abort.abort(new Error("no answer")), (seconds + patience) * 1000);
  try {
    const response = await request(url, form, abort.signal, options);
    const answer = await response.json().catch(() => null); // null for a web server's own page
    const { ok, status } = response;
    if (ok && answer !== null) return answer;
    const refused = answer?.error && [400, 403, 413].includes(status);
    throw new (refused ? Refusal : Error)(answer?.error ?? (ok ? notAnAnswer : `HTTP ${status}`));
  } finally {
    clearTimeout(timer);
  }
};

let farewell = 0; // bytes of the page's publications in progress that may outlive it

/**
 * Publishes an event, also if the page is left meanwhile.
 * @type {(url: string, id: string, data: unknown) => Promise<true>}
 */
export const publish = async (url, id, data) => {
  const body = data === undefined ? "" : JSON.stringify(data);
  if (body === undefined) throw new TypeError(`${id}: JSON has no ${typeof data}`);
  // Each publication counts 1,024 bytes in addition to its data, so that at most 64 outlive a page: browsers
  // allow 256.
  const size = new Blob([body]).size + 1024;
  const keepalive = farewell + size <= longestFarewell;
  if (keepalive) farewell += size;
  try {
    const answer = await ask(url, [["publish", id]], 0, new AbortController(), { method: "POST", body, keepalive });
    if (answer !== true) throw new Error(`the server could not publish ${id}`);
    return true;
  } finally {
    if (keepalive) farewell -= size;
  }
};
