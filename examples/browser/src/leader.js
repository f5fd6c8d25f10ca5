import { poll, stream } from "./answer.js";
import { grace, longestPause, longestWait, never, rollCall } from "./limits.js";
import { Refusal } from "./server.js";
import { now, pause } from "./time.js";
import { createWishes, parts } from "./wishes.js";

/** @typedef {import("./answer.js").Answer} Answer */

/**
 * Returns the leader of the tabs. It requests from the server what they want, and sends them the answers.
 * @param {import("./tab.js").Page} page
 * @param {string} me the name of the tab
 * @param {AbortSignal} signal ends the lead
 * @param {(message: object) => void} send sends a message to the other tabs
 * @param {undefined | ((reason: string) => void)} refused is called when the server refuses the wish of this
 * tab; undefined if this tab works alone
 * @param {false | (() => void)} share makes a tab whose wish was refused share the connection again; false
 * for other tabs
 */
export const createLeader = (page, me, signal, send, refused, share) => {
  const { events, tokens, trust } = page;
  const { cursors, texts } = events;
  const wishes = createWishes();
  let proven = false; // whether the server has answered; before, other tabs may have later stamps
  let connection = new AbortController(); // aborting it starts the next request now
  let asked = 0; // when the last request was sent
  let called = 0; // when the wishes of other tabs were last forgotten
  let due = 0; // when the pause after an error ends, or 0
  let failures = 0;

  // Reports what is known, with the data that a tab wants and does not have.
  /** @type {(wish?: string[], has?: Map<string, string>) => void} */
  const report = (wish = [], has) => {
    if (page.failure) return send(page.failure);
    const all = wishes.all();
    const ids = parts(all, "0");
    if (!proven || !ids.every((id) => (all.has(`1${id}`) ? texts : cursors).has(id))) return send({});
    const stale = parts(wish, "1").filter((id) => has?.get(id) !== cursors.get(id));
    send({ at: ids.map((id) => [id, cursors.get(id)]), k: [], d: stale.map((id) => [id, texts.get(id)]) });
  };

  const callRoll = () => {
    wishes.clear();
    wishes.set(me, page.wish());
    report();
    called = now();
  };

  /**
   * Yields the server's answers about all wanted events, until it is aborted or a stream has ended. It throws
   * if the connection is lost. The first answer arrives at once and has the cursors. If no event is wanted,
   * it waits until it is aborted.
   */
  async function* follow() {
    for (let wait = 0; ;) {
      const wish = wishes.next();
      events.want(wishes.all());
      const ids = parts(wish, "0");
      if (!ids.length) {
        if (wishes.accept()) continue;
        return pause(1e6, connection.signal);
      }
      asked = now();
      const dataIDs = parts(wish, "1");
      // An event whose data is unknown is requested as if it had never been published.
      const lacking = new Set(dataIDs.filter((id) => !texts.has(id)));
      /** @type {import("./server.js").Form} */
      const form = ids.map((id) => [`subscribed[${id}]`, lacking.has(id) ? never : cursors.get(id) ?? "now"]);
      if (dataIDs.length) form.push(["data", "1"]);
      for (const token of parts(wish, "t")) form.push(["token", token]);
      const streaming = wait && page.stream && trust.allows();
      for await (const { at, k, d } of streaming
        ? stream(page.url, form, ids, connection, trust)
        : poll(page.url, form, ids, wait, connection)) {
        wait = wishes.accept() ? 0 : longestWait;
        const data = new Map(d);
        const stamps = new Map(at);
        yield /** @type {Answer} */ ({
          at,
          k: k.filter((id) => !lacking.has(id) || cursors.has(id) && cursors.get(id) !== stamps.get(id)),
          d: dataIDs.filter((id) => k.includes(id) || !texts.has(id)).map((id) => [id, data.get(id)]),
        });
      }
      if (streaming) return;
    }
  }

  const wake = () => {
    failures = 0;
    connection.abort();
  };

  return {
    wake,

    /** Leads until the signal. */
    async lead() {
      callRoll();
      signal.addEventListener("abort", () => connection.abort());
      while (!signal.aborted) {
        connection = new AbortController();
        due = 0;
        try {
          for await (const answer of follow()) {
            if (signal.aborted) return; // A callback for the answer before may have called stop or init.
            failures = 0;
            proven = true;
            send(answer);
            page.learn(answer, true);
            if (now() - called > rollCall) {
              if (share) share();
              else callRoll();
            }
          }
        } catch (problem) {
          const error = /** @type {Error} */ (connection.signal.reason ?? problem);
          if (signal.aborted || error.name === "AbortError") continue; // a new request is needed
          if (error instanceof Refusal) {
            const guilty = wishes.blame();
            if (refused) {
              if (guilty === me) refused(error.message);
              else if (guilty) send({ out: guilty, error: error.message });
              continue;
            }
            const renewed = await tokens.renew(error.message);
            wishes.set(me, page.wish());
            if (renewed || signal.aborted) continue;
            called = -rollCall; // When the server no longer refuses this tab, it can share again.
          }
          const seconds = Math.min(2 ** failures++, longestPause) * (0.75 + Math.random() / 2);
          due = now() + seconds;
          connection = new AbortController();
          await pause(grace, connection.signal); // Firefox and WebKit fail the requests of a page before its pagehide.
          if (connection.signal.aborted) continue;
          page.fail({ error: error.message, seconds: due - now() });
          report();
          await pause(due - now(), connection.signal);
        }
      }
    },

    /** The wish of this tab may have changed. */
    renew() {
      if (wishes.set(me, page.wish()) && share) share();
      else if (!wishes.covered() || !parts(wishes.all(), "0").length) connection.abort();
      // The request goes on, so new callbacks get what is known.
      else if (!page.failure) page.learn({ at: [...cursors], k: [], d: [] });
    },

    /** Another tab wants something. @type {(message: import("./tab.js").Hello) => void} */
    accept({ tab, wish, has, wake: urgent }) {
      wishes.set(tab, wish.map(String));
      report(wish, has);
      if (urgent && (due || now() - asked > 1)) wake(); // many tabs may wake up at the same time
      // A pause may be over although its timer has not fired: timers of hidden tabs are late.
      if (!wishes.covered() || due && now() > due) connection.abort();
    },
  };
};
