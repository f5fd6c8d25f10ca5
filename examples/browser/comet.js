// comet.js: a page learns at once that something happened on the server.
//
// To use it in a page of your own, copy this file beside the page and write
//
//     <script src="comet.js"></script>
//     <script>
//       const comet = new Comet("/comet.php"); // where comet.cgi or comet-fcgi answers
//       comet.subscribe("news", (id, stamp) => location.reload());
//       comet.start();
//     </script>
//
// and on the server: touch /dev/shm/news.comet
//
// An event is a state ("changed at stamp"), not a list of messages: publications in quick succession may
// arrive as one call, but the last of them always arrives, also after an outage of the server or the network.

"use strict";

class Comet {
  // A request without an answer after this time is lost. It must exceed the server's wait, tries × sleep: 40 s by default.
  static #patience = 75; // seconds
  static #longestPause = 30; // seconds between two attempts while nobody answers

  #url;
  #callbacks = new Map(); // id → the functions to call
  #cursors = new Map(); // id → what this page saw last, in the server's words
  #following = null; // the AbortController of the loop that runs

  /** Called with "connecting", "connected", "stopped", or "lost" with an Error and the seconds until the next attempt. */
  onstate = (state, error, seconds) => {};

  constructor(url = "/comet.php") {
    this.#url = url;
  }

  /** From now on calls callback(id, stamp) when the event was published; stamp: the server's time in seconds, as in new Date(stamp * 1000). */
  subscribe(id, callback) {
    this.#callbacks.set(id, [...(this.#callbacks.get(id) ?? []), callback]);
    if (this.#cursors.has(id)) return;
    this.#cursors.set(id, "now");
    if (this.#following) this.#follow(); // the request that waits does not ask for this event
  }

  /** Publishes the event to all its subscribers, this page included. Rejects with an Error that says why it could not. */
  async publish(id) {
    const done = await Comet.#json(this.#url, { method: "POST", body: new URLSearchParams({ publish: id }) });
    if (done !== true) throw new Error(`the server could not publish ${id}`);
  }

  start() {
    if (!this.#following) this.#follow();
  }

  /** What is published while stopped is told after the next start(). */
  stop() {
    this.#following?.abort();
    this.#following = null;
    this.#report("stopped");
  }

  async #follow() {
    this.#following?.abort();
    const { signal } = (this.#following = new AbortController());
    let connected = false;
    let failures = 0;
    this.#report("connecting");
    await null; // events subscribed to in the same breath go into the first request
    while (!signal.aborted && this.#cursors.size > 0) {
      // The first request, one with a new event and one after an outage do not wait: their answer brings the cursors, and the good news.
      const wait = connected && ![...this.#cursors.values()].includes("now");
      const asked = performance.now();
      try {
        const { s, k = {}, at } = await this.#poll(wait, signal);
        if (signal.aborted) return; // whoever follows now asks again from the same cursors
        if (!connected) this.#report("connected");
        connected = true;
        failures = 0;
        for (const id of this.#cursors.keys()) {
          this.#cursors.set(id, at[id]);
          if (Object.hasOwn(k, id)) this.#tell(id, k[id]);
        }
        // Nothing new, and that too soon: the server is full or about to end, so it is not to be asked in a tight circle.
        if (wait && !s && performance.now() - asked < 1000) await Comet.#pause(1, signal);
      } catch (error) {
        if (signal.aborted) return;
        connected = false;
        const seconds = Math.min(2 ** failures++, Comet.#longestPause);
        this.#report("lost", error, seconds);
        await Comet.#pause(seconds, signal);
      }
    }
  }

  async #poll(wait, signal) {
    const query = [...this.#cursors].map(([id, cursor]) => `${encodeURIComponent(`subscribed[${id}]`)}=${cursor}`);
    if (!wait) query.push("wait=0");
    const separator = this.#url.includes("?") ? "&" : "?";
    const answer = await Comet.#json(this.#url + separator + query.join("&"), {}, signal);
    for (const id of this.#cursors.keys()) {
      if (typeof answer?.at?.[id] !== "string") throw new Error(`${this.#url} does not answer as NovComet does`);
    }
    return answer;
  }

  // The page's functions run in microtasks of their own: one that throws shows in the console and disturbs nobody else.
  #tell(id, stamp) {
    for (const callback of this.#callbacks.get(id)) queueMicrotask(() => callback(id, stamp));
  }

  #report(...what) {
    queueMicrotask(() => this.onstate(...what));
  }

  static async #json(url, options, signal) {
    const lost = AbortSignal.timeout(Comet.#patience * 1000);
    const response = await fetch(url, { ...options, cache: "no-store", signal: signal ? AbortSignal.any([signal, lost]) : lost });
    const answer = await response.json().catch(() => null); // null: not JSON, but some web server's own page
    if (!response.ok) throw new Error(answer?.error ?? `HTTP ${response.status}`);
    return answer;
  }

  static #pause(seconds, signal) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, seconds * 1000);
      signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
    });
  }
}
