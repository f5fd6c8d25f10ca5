import { asleep, longestSilence, trial } from "./limits.js";
import { ask, Refusal, request, notAnAnswer } from "./server.js";
import { now, pause, reportError, wall } from "./time.js";

/**
 * An answer of the server: the cursor of each event, the changed events, and data as JSON text, undefined if
 * there is none. It has entries instead of objects, because an id may be __proto__.
 * @typedef {{ at: [string, string][], k: string[], d: [string, string | undefined][] }} Answer
 */

/** @type {(values: object | undefined) => [string, string | undefined][]} */
const texts = (values = {}) => Object.entries(values).map(([id, value]) => {
  try {
    return [id, JSON.stringify(value)];
  } catch (error) { // It is nested too deep. That concerns this event alone.
    reportError(error);
    return [id, undefined];
  }
});

/** @type {(at: [string, string][], parts: any[]) => Answer} */
const answer = (at, parts) => ({
  at,
  k: parts.flatMap(({ k = {} }) => Object.keys(k)),
  d: parts.flatMap(({ d }) => texts(d)),
});

/**
 * Yields the answer of a poll.
 * @param {string} url
 * @param {import("./server.js").Form} form
 * @param {string[]} ids
 * @param {number} wait
 * @param {AbortController} abort
 */
export async function* poll(url, form, ids, wait, abort) {
  const start = now();
  const part = await ask(url, [...form, ["wait", `${wait}`]], wait, abort);
  const { s, at } = part;
  if (!at) throw new Error(notAnAnswer);
  for (const id of ids) if (typeof at[id] !== "string") throw new Refusal(`the server knows no event "${id}"`);
  yield answer(Object.entries(at), [part]);
  // If an unchanged answer arrives too soon, the server is full or about to end. The next poll has to wait.
  if (wait && !s && now() - start < 1) await pause(1 + 2 * Math.random(), abort.signal);
}

/**
 * Yields the answers of a stream until it ends or fails, and then aborts. It throws no error; the next poll
 * reports the reason.
 * @param {string} url
 * @param {import("./server.js").Form} form
 * @param {string[]} ids
 * @param {AbortController} abort
 * @param {import("./trust.js").Trust} trust
 */
export async function* stream(url, form, ids, abort, trust) {
  const { signal } = abort;
  const start = now();
  let silent = false;
  let timer = 0;
  const expect = (/** @type {number} */ seconds) => {
    const last = wall();
    clearTimeout(timer);
    timer = setTimeout(() => {
      silent = wall() - last < seconds + asleep; // otherwise the machine was asleep
      abort.abort();
    }, seconds * 1000);
  };
  expect(trial);
  try {
    const { ok, headers, body } = await request(url, form, signal, { headers: { Accept: "text/event-stream" } });
    const reader = ok && headers.get("Content-Type")?.startsWith("text/event-stream") && body?.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    /** @type {string[] | undefined} */
    let stamps; // of all ids, in the order of ids
    /** @type {any[]} */
    let parts = []; // of an answer, one for each changed event
    while (reader) {
      const { done, value } = await reader.read();
      if (done) break;
      expect(longestSilence);
      if (trust.failed && now() - start > trial) trust.set(0); // A proxy may pass on only the beginning.
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.startsWith("data: ")) parts.push(JSON.parse(line.slice(6)));
        if (line.startsWith("id: ")) stamps = line.slice(4).split(","); // the last line of an answer
        else if (!stamps || line !== ":") continue; // A comment confirms the last stamps.
        if (stamps.length !== ids.length) return;
        yield answer(stamps.map((stamp, i) => [ids[i], stamp]), parts);
        parts = [];
      }
    }
  } catch { /* The next poll reports the reason. */ } finally {
    clearTimeout(timer);
    // trust.failed has the value from the beginning of the stream, so streams of several tabs that fail
    // together count once.
    if (silent || !signal.aborted && now() - start < trial) trust.set(trust.failed + 1);
    abort.abort();
  }
}
