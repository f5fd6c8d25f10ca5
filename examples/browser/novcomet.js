// novcomet.js: a page learns at once that something happened on the server.
//
//     <script src="novcomet.js"></script>            or, in a module:   import NovComet from "./novcomet.js";
//     <script>
//       NovComet.init("/comet.php")                  // where comet.cgi or comet-fcgi answers
//         .subscribe("news", (k) => alert(`published at ${new Date(k.news * 1000)}`))
//         .run();
//     </script>
//
// and on the server: touch /dev/shm/news.comet. What each method does is in novcomet.d.ts.
//
// An event is a state ("changed at"), not a list of messages: publications in quick succession may arrive as one call, but
// the last of them always arrives, also after an outage of the server or the network.
//
// # One poll for all tabs
//
// A browser opens six connections to a server, no more, so that the tabs with the same endpoint share one poll. One tab, the
// leader, polls for the events of all of them; the others listen to it on a BroadcastChannel. Who leads:
//   - where there are Web Locks (https, localhost), who has the lock; the browser hands it on when a tab ends, however it ends;
//   - elsewhere, whose name stands in localStorage. It takes it away when it leaves, and a storage event tells the others.
//   - A tab that has doubts, having heard nothing for a while, asks; if there is no answer, it takes the lead from whoever has it.
//
// What they say:
//   - {ids, wake}: I am here and want these events; wake: and there is reason to ask the server now. The leader answers with
//     what it knows, and takes ids that are new to it into its poll.
//   - {at, k}: the cursor of every event polled for, and which of them the server has just called changed. It goes out with each
//     answer of the server. Who misses an event of its own in it says so, so that the leader may forget what others want.
//   - {error, seconds}: no connection; when the next attempt is. {}: I lead, and have no answer of the server yet.
// If the server refuses what they want together (too many events, or one that is forbidden), the leader leaves the others and polls
// for itself; so does the next one, until the tab is among them that wanted it.
//
// Why nobody misses anything: each tab keeps its own cursors and compares them with those it hears, so it does not matter
// who has polled, since when, or what was said while it slept. Two leaders at a time cost a request, not an event.

/** @type {import("./novcomet.js").Client} */
var NovComet = (() => {
  "use strict";

  // All times in seconds, but for those that browsers give: they count milliseconds.
  const longestWait = 50; // of a poll; the server may be set to less
  const patience = 25; // with a request, beyond its wait; it is lost then
  const longestPause = 30; // between attempts
  const silence = 10; // until a tab wonders whether the leader is still there
  const doubt = 5; // until it takes the lead, and as long again by chance, so that not all do at once
  const asleep = 75; // hidden tabs tick once a minute; a longer pause means that the machine was asleep
  const rollCall = 300; // between the times when the leader forgets what others want
  const longestQuery = 2000; // characters; longer ones go by POST

  let endpoint = "comet.php";
  /** @type {Map<string, Set<import("./novcomet.js").Callback>>} */
  const callbacks = new Map(); // this tab's subscriptions
  /** @type {Record<string, Function[]>} */
  const listeners = { open: [], error: [], close: [] };
  /** @type {Map<string, string>} */
  const cursors = new Map(); // id → the stamp last seen, in the server's words
  /** @type {Set<string>} */
  const others = new Set(); // what other tabs want, while this one leads
  const me = Math.random().toString(36).slice(2);

  let running = false;
  let sharing = true;
  let name = ""; // of the channel and the lock
  /** @type {BroadcastChannel | undefined} */
  let channel;
  /** @type {AbortController | undefined} */
  let candidacy; // ends when this tab leaves, or loses the lead
  /** @type {AbortSignal | undefined} */
  let lead; // of the candidacy that leads
  let proven = false; // whether the server has answered while it leads
  let connection = new AbortController(); // its end means: ask again now
  let ticking = 0;
  let ticked = 0;
  let heard = 0; // when the leader last said something
  let asked = 0; // when this tab last asked the server
  let called = 0; // when it last called the roll
  let due = 0; // when the pause after an error ends; 0: there is none
  let failures = 0;
  /** @type {boolean | undefined} */
  let connected;
  /** @type {{ error?: string, seconds?: number }} */
  let failure = {};

  const now = () => Date.now() / 1000;

  /** @type {(seconds: number, signal: AbortSignal) => Promise<void>} */
  const pause = (seconds, signal) => new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, signal.aborted ? 0 : seconds * 1000);
    signal.addEventListener("abort", end);
  });

  // A function of the page that throws shows in the console and disturbs nobody else.
  /** @type {(function_: Function, ...values: unknown[]) => void} */
  const call = (function_, ...values) => {
    try {
      function_(...values);
    } catch (error) {
      setTimeout(() => { throw error; });
    }
  };

  /** @type {(type: string, ...values: unknown[]) => void} */
  const emit = (type, ...values) => listeners[type].forEach((listener) => call(listener, ...values));

  // ---- the server

  class Refusal extends Error {}
  const strange = "not an answer of NovComet";

  /** @type {(form: Record<string, string>, seconds: number, abort: AbortController, post?: boolean) => Promise<any>} */
  const ask = async (form, seconds, abort, post) => {
    const body = new URLSearchParams(form);
    post ||= `${body}`.length > longestQuery;
    const url = post ? endpoint : endpoint + (endpoint.includes("?") ? "&" : "?") + body;
    const timer = setTimeout(() => abort.abort(new Error("no answer in time")), (seconds + patience) * 1000);
    try {
      // Without no-store a browser holds back a request that another tab has just made, until that one is answered.
      const response = await fetch(url, { cache: "no-store", signal: abort.signal, ...(post && { method: "POST", body }) });
      const answer = await response.json().catch(() => null); // null: some web server's own page
      if (response.ok && answer !== null) return answer;
      const { status } = response;
      if ([400, 403, 413].includes(status) && answer?.error) throw new Refusal(answer.error);
      throw new Error(answer?.error ?? (response.ok ? strange : `HTTP ${status}`));
    } finally {
      clearTimeout(timer);
    }
  };

  const wanted = () => [...new Set([...callbacks.keys(), ...others])];

  /**
   * A transport yields what the server says, {k, at}, of all that is wanted, until the connection is lost, which it throws, or
   * aborted. The first answer comes at once: it brings the cursors, and the good news.
   */
  async function* polling(/** @type {AbortController} */ abort) {
    for (let wait = 0; ; wait = longestWait) {
      while (!wanted().length && !abort.signal.aborted) await pause(1e6, abort.signal);
      const ids = wanted();
      const start = asked = now();
      const form = Object.fromEntries(ids.map((id) => [`subscribed[${id}]`, cursors.get(id) ?? "now"]));
      const { s, k = {}, at } = await ask({ ...form, wait: `${wait}` }, wait, abort);
      if (!at) throw new Error(strange);
      const lacking = ids.find((id) => typeof at[id] !== "string");
      if (lacking !== undefined) throw new Refusal(`the server knows no event "${lacking}"`);
      yield { k, at };
      // Nothing new, and that too soon: the server is full or about to end, so it is not to be asked in a tight circle.
      if (wait && !s && now() - start < 1) await pause(1 + 2 * Math.random(), abort.signal);
    }
  }

  // ---- what leader and others do alike

  /** @type {(at: [string, string][], k: string[]) => void} */
  const learn = (at, k) => {
    /** @type {[string, number][]} */
    const changed = [];
    for (const [id, cursor] of at) {
      const before = cursors.get(id);
      const mine = callbacks.has(id);
      if (mine || others.has(id)) cursors.set(id, cursor);
      // 0: never published, or not any more.
      if (mine && +cursor && (before ? before !== cursor : k.includes(id))) changed.push([id, Math.floor(+cursor)]);
    }
    if (!connected) {
      connected = true;
      emit("open");
    }
    const seconds = Object.fromEntries(changed);
    for (const [id] of changed) {
      for (const callback of [...callbacks.get(id) ?? []]) if (callbacks.get(id)?.has(callback)) call(callback, seconds);
    }
  };

  /** @type {(what: { error?: string, seconds?: number }) => void} */
  const fail = (what) => {
    if (connected === false && what.seconds === failure.seconds) return; // said already
    connected = false;
    failure = what;
    emit("error", new Error(what.error), what.seconds);
  };

  const wake = () => {
    if (!running) return;
    if (!lead) return hello(true);
    failures = 0;
    connection.abort();
  };

  let renewing = false;
  const renew = () => {
    if (renewing || !running) return;
    renewing = true;
    queueMicrotask(() => { // what is subscribed to in the same breath goes along
      renewing = false;
      if (lead) connection.abort();
      else hello();
    });
  };

  // ---- the leader

  /** @type {(message: object) => void} */
  const say = (message) => channel?.postMessage(message);

  const report = () => {
    const ids = wanted();
    if (connected === false) say(failure);
    else say(proven && ids.every((id) => cursors.has(id)) ? { at: ids.map((id) => [id, cursors.get(id)]), k: [] } : {});
  };

  const forget = () => {
    for (const id of others) if (!callbacks.has(id)) cursors.delete(id);
    others.clear();
    called = now();
  };

  /** @type {(signal: AbortSignal) => Promise<void>} */
  const leading = async (signal) => {
    lead = signal;
    proven = false; // what this tab heard last may be older than what others did
    forget();
    report();
    signal.addEventListener("abort", () => connection.abort());
    while (!signal.aborted) {
      let mine = connection = new AbortController();
      try {
        for await (const { k, at } of polling(mine)) {
          failures = due = 0;
          proven = true;
          const entries = /** @type {[string, string][]} */ (Object.entries(at));
          say({ at: entries, k: Object.keys(k) });
          learn(entries, Object.keys(k));
          if (others.size && now() - called > rollCall) {
            forget();
            report();
          }
        }
      } catch (problem) {
        const error = /** @type {Error} */ (mine.signal.reason ?? problem);
        if (signal.aborted || error.name === "AbortError") continue; // to be asked anew
        if (error instanceof Refusal && sharing && channel) {
          withdraw();
          break;
        }
        const seconds = Math.min(2 ** failures++, longestPause) * (0.75 + Math.random() / 2);
        due = now() + seconds;
        mine = connection = new AbortController();
        fail({ error: error.message, seconds });
        say(failure);
        await pause(seconds, mine.signal);
        due = 0;
      }
    }
    if (lead === signal) {
      lead = undefined;
      forget();
    }
  };

  // ---- the others

  const hello = (urgent = false) => {
    if (!channel || !candidacy) return;
    const { signal } = candidacy;
    const since = now();
    say({ ids: [...callbacks.keys()], wake: urgent });
    pause(doubt * (1 + Math.random()), signal).then(() => {
      if (!signal.aborted && !lead && heard < since) elect(true);
    });
  };

  /** @type {(event: MessageEvent) => void} */
  const hear = ({ data }) => {
    if (data.ids) {
      if (!lead) return;
      const known = wanted();
      for (const id of data.ids) others.add(id);
      report();
      if (data.wake && (due || now() - asked > 1)) wake(); // many tabs may wake up at the same time
      // Also a pause that is over, for the timers of a hidden tab are late.
      if (wanted().length > known.length || due && now() > due) connection.abort();
      return;
    }
    heard = now();
    if (lead) return onStorage(); // somebody has taken over
    if (data.error) fail(data);
    if (!data.at) return;
    learn(data.at, data.k);
    const said = new Map(data.at);
    if (![...callbacks.keys()].every((id) => said.has(id))) hello();
  };

  // ---- who leads

  const held = () => localStorage.getItem(name);

  /** @type {(signal: AbortSignal, steal: boolean) => Promise<void>} */
  const lease = async (signal, steal) => {
    if (!steal && held()) return;
    localStorage.setItem(name, me);
    await pause(0.1, signal); // another tab may have written in the same moment; the last one has it
    if (!signal.aborted && held() === me) await leading(signal);
  };

  /** @type {(steal?: boolean) => Promise<void>} */
  const elect = async (steal = false) => {
    candidacy?.abort();
    const { signal } = candidacy = new AbortController();
    try {
      if (!channel) await leading(signal);
      else if (navigator.locks) await navigator.locks.request(name, steal ? { steal } : { signal }, () => leading(signal));
      else await lease(signal, steal);
    } catch (error) {
      if (signal.aborted) return;
      if (/** @type {Error} */ (error).name === "AbortError") elect(); // another tab has taken the lock
      else if (channel) withdraw(); // this page may not store anything, nor know of others
      else throw error;
    }
  };

  const onStorage = () => {
    if (!navigator.locks && running && channel && (lead ? held() !== me : !held())) elect();
  };

  const withdraw = () => { // from the others, for as long as this tab runs
    leave();
    sharing = false;
    join();
  };

  // ---- the page

  const join = () => {
    name = `novcomet ${new Request(endpoint).url}`;
    ticked = now();
    heard = 0;
    if (sharing && globalThis.BroadcastChannel) {
      channel = new BroadcastChannel(name);
      channel.onmessage = hear;
    }
    ticking = setInterval(() => {
      const slept = now() - ticked > asleep;
      ticked = now();
      if (slept) wake();
      else if (channel && !lead && ticked - heard > silence) hello();
    }, silence * 500);
    elect();
    hello(true);
  };

  const leave = () => {
    candidacy?.abort();
    lead = undefined;
    clearInterval(ticking);
    ticking = 0;
    channel?.close();
    channel = undefined;
    try {
      if (held() === me) localStorage.removeItem(name);
    } catch { /* there is no storage for this page */ }
  };

  // A page that is put aside would keep the others waiting, and could not even be put aside while it has a request or a lock.
  const rest = () => running && leave();
  const rise = () => running && !ticking && join();
  const { document } = globalThis; // a worker has none
  globalThis.addEventListener?.("storage", onStorage);
  globalThis.addEventListener?.("online", wake);
  globalThis.addEventListener?.("offline", wake); // a request that waits may not notice
  globalThis.addEventListener?.("pagehide", rest);
  globalThis.addEventListener?.("pageshow", rise);
  document?.addEventListener("freeze", rest);
  document?.addEventListener("resume", rise);
  document?.addEventListener("visibilitychange", () => document.hidden || wake());

  /** @type {import("./novcomet.js").Client} */
  const client = {
    init(url = endpoint) {
      if (url === endpoint) return client;
      if (running) leave();
      endpoint = url;
      cursors.clear();
      if (running) join();
      return client;
    },

    subscribe(id, callback) {
      if (!callbacks.has(id)) {
        callbacks.set(id, new Set());
        cursors.delete(id); // from now on, whatever another tab knows
        renew();
      }
      callbacks.get(id)?.add(callback);
      return client;
    },

    unsubscribe(id, callback) {
      const set = callbacks.get(id);
      if (callback) set?.delete(callback);
      if (!callback || !set?.size) callbacks.delete(id);
      return client;
    },

    async publish(id) {
      if (await ask({ publish: id }, 0, new AbortController(), true) !== true) throw new Error(`the server could not publish ${id}`);
      return true;
    },

    run() {
      if (running) return client;
      running = sharing = true;
      join();
      return client;
    },

    stop() {
      if (!running) return client;
      running = false;
      connected = undefined;
      leave();
      emit("close");
      return client;
    },

    on(type, listener) {
      listeners[type].push(listener);
      return client;
    },

    last: (id) => Number(cursors.get(id)) || undefined,
  };
  return client;
})();

// A plain script must not say "export", a module must. In a module, what follows is a regular expression and an export; in a plain
// script "await" is just a name, "/" divides, and what stands between the backticks is a string.
/* eslint-disable-next-line no-unused-expressions */
typeof await /`/; export { NovComet as default, NovComet }; //`/1;
