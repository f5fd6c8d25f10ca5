// novcomet.js: a page learns at once that something happened on the server.
//
//     <script src="novcomet.js"></script>            or, in a module:   import NovComet from "./novcomet.js";
//     <script>
//       NovComet.init("/comet.php")                  // where comet.cgi or comet-fcgi answers
//         .subscribe("news", (k) => alert(`published at ${new Date(k.news * 1000)}`))
//         .run();
//     </script>
//
// and on the server: touch /dev/shm/news.comet. With data, echo '{"text":"hello"}' > /dev/shm/news.comet, it is
//
//         .subscribe("news", (k, data) => alert(data?.text), { data: true })
//
// What each method does is in novcomet.d.ts.
//
// An event is a state ("changed at"), not a list of messages: publications in quick succession may arrive as one call, but
// the last of them always arrives, also after an outage of the server or the network.
//
// # One connection for all tabs
//
// A browser opens six connections to a server, no more, so that the tabs with the same endpoint share one. One tab, the
// leader, asks for the events of all of them; the others listen to it on a BroadcastChannel. Who leads:
//   - where there are Web Locks (https, localhost), who has the lock; the browser hands it on when a tab ends, however it ends;
//   - elsewhere, whose name stands in localStorage. It takes it away when it leaves, and a storage event tells the others.
//   - A tab that has doubts, having heard nothing for a while, asks; if there is no answer, it takes the lead from whoever has it.
//
// What they say:
//   - {ids, wake}: I am here and want these events, each with [1 if with data, the cursor of the data that I have]; wake: and
//     there is reason to ask the server now. The leader answers with what it knows, and asks the server for what is new to it.
//   - {at, k, d}: the cursor of every event asked for, which of them the server has just called changed, and the data of those
//     whose data is wanted and new. It goes out with each answer of the server. Who misses an event of its own in it, or the
//     data of a new cursor, says so; that also lets the leader forget what others want.
//   - {error, seconds}: no connection; when the next attempt is. {}: I lead, and have no answer of the server yet.
// If the server refuses what they want together (too many events, or one that is forbidden), the leader leaves the others and polls
// for itself; so does the next one, until the tab is among them that wanted it.
//
// Why nobody misses anything: each tab keeps its own cursors and compares them with those it hears, so it does not matter
// who has asked, since when, or what was said while it slept. Two leaders at a time cost a request, not an event.
//
// # A stream, or polls
//
// The leader first asks with a poll that does not wait: that brings the cursors, or says what is wrong. From these cursors on it
// opens a stream (Server-Sent Events), and when that ends, however it ends, it begins anew. Where a stream does not work, for
// somebody between collects what it says or there are too many, it polls, and tries a stream again after a minute. If that one does
// not work either, after ten minutes, and then after an hour each time: all tabs and later pages count together, until a stream works.
// It is read with fetch, as EventSource neither posts long lists of events nor shows that a stream is silent.

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
  const trial = 5; // until a stream must have said something, and not have ended
  const longestSilence = 45; // of a stream; the server says something every 20
  const distrust = [0, 60, 600, 3600]; // until a stream is tried again after as many that did not work, or more
  const longestQuery = 2000; // characters; longer ones go by POST
  const never = "0.000000"; // the cursor of an event that was not published so far

  let endpoint = "comet.php";
  let streams = true; // whether they are wanted
  /** @typedef {{ data: boolean, seen?: string }} Subscription seen: the cursor that it was told of last, or began at */
  /** @type {Map<string, Map<import("./novcomet.js").Callback, Subscription>>} */
  const callbacks = new Map(); // this tab's subscriptions
  /** @type {Record<string, Function[]>} */
  const listeners = { open: [], error: [], close: [] };
  /** @type {Map<string, string>} */
  const cursors = new Map(); // id → the stamp last seen, in the server's words
  /** @type {Map<string, unknown>} */
  const carried = new Map(); // id → the data that belongs to this cursor, undefined if there is none; missing: not known
  /** @type {Map<string, number>} */
  const others = new Map(); // what other tabs want, while this one leads: id → 1 if with data
  /** @type {Map<string, number>} */
  let asking = new Map(); // the same of all tabs, as the server has been asked
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
  let polling = 0; // until when it does without streams
  let failed = 0; // how many have not worked since one did
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

  /** @type {(form: Record<string, string>, signal: AbortSignal, options?: RequestInit) => Promise<Response>} */
  const request = (form, signal, options) => {
    const query = new URLSearchParams(form);
    let url = endpoint;
    if (options?.method || `${query}`.length <= longestQuery) url += (url.includes("?") ? "&" : "?") + query;
    else options = { ...options, method: "POST", body: query };
    // Without no-store a browser holds back a request that another tab has just made, until that one is answered.
    return fetch(url, { cache: "no-store", signal, ...options });
  };

  /** @type {(form: Record<string, string>, seconds: number, abort: AbortController, options?: RequestInit) => Promise<any>} */
  const ask = async (form, seconds, abort, options) => {
    const timer = setTimeout(() => abort.abort(new Error("no answer in time")), (seconds + patience) * 1000);
    try {
      const response = await request(form, abort.signal, options);
      const answer = await response.json().catch(() => null); // null: some web server's own page
      if (response.ok && answer !== null) return answer;
      const { status } = response;
      if ([400, 403, 413].includes(status) && answer?.error) throw new Refusal(answer.error);
      throw new Error(answer?.error ?? (response.ok ? strange : `HTTP ${status}`));
    } finally {
      clearTimeout(timer);
    }
  };

  const memory = () => `${name} polls`;

  const mayStream = () => {
    try {
      [polling = polling, failed = failed] = JSON.parse(localStorage.getItem(memory()) ?? "[]");
    } catch { /* there is no storage for this page */ }
    return streams && now() >= polling;
  };

  /** @type {(count: number) => void} */
  const judge = (count) => {
    failed = Math.min(count, distrust.length - 1);
    polling = now() + distrust[failed];
    try {
      localStorage.setItem(memory(), JSON.stringify([polling, failed])); // for the next page, and the next leader
    } catch { /* for this page, then */ }
  };

  /** @typedef {{ at: [string, string][], k: string[], d: [string, unknown][] }} Answer as entries, for an id may be called __proto__ */

  /** Yields the answers of a stream until it ends. Why it does is no matter: the poll that comes next finds out. */
  async function* stream(/** @type {Record<string, string>} */ form, /** @type {AbortSignal} */ signal) {
    const start = now();
    const own = new AbortController();
    const end = () => own.abort();
    let silent = false;
    let timer = 0;
    const expect = (/** @type {number} */ seconds) => {
      const last = now();
      clearTimeout(timer);
      timer = setTimeout(() => {
        silent = now() - last < seconds + asleep; // else nobody listened
        end();
      }, seconds * 1000);
    };
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
    expect(trial);
    try {
      const ids = [...asking.keys()];
      const { ok, headers, body } = await request(form, own.signal, { headers: { Accept: "text/event-stream" } });
      const reader = ok && headers.get("Content-Type")?.startsWith("text/event-stream") && body?.getReader();
      const decoder = new TextDecoder();
      let rest = "";
      /** @type {string[] | undefined} */
      let stamps; // of all ids, in their order
      /** @type {any[]} */
      let parts = []; // of an answer: one for each event that changed
      while (reader) {
        const { done, value } = await reader.read();
        if (done) break;
        expect(longestSilence);
        if (failed && now() - start > trial) judge(0); // what it said at first may be all that comes through
        const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          if (line.startsWith("data: ")) parts.push(JSON.parse(line.slice(6)));
          if (line.startsWith("id: ")) stamps = line.slice(4).split(","); // the last line of an answer
          else if (!stamps || line !== ":") continue; // a comment is news as well: all is as it was
          const of = (/** @type {string} */ field) => parts.flatMap((part) => Object.entries(part[field] ?? {}));
          if (stamps.length !== ids.length) throw new Error(strange);
          yield /** @type {Answer} */ ({ at: ids.map((id, i) => [id, stamps?.[i]]), k: of("k").map(([id]) => id), d: of("d") });
          parts = [];
        }
      }
    } catch { /* see above */ } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      end();
    }
    // Since it began, failed is as it was: streams of several tabs that fail together count as one.
    if (!signal.aborted && (silent || now() - start < trial)) judge(failed + 1);
  }

  const wanted = () => {
    const all = new Map(others);
    for (const id of callbacks.keys()) all.set(id, Math.max(all.get(id) ?? 0, withData(id)));
    return all;
  };

  /** Yields the answer of a poll. */
  async function* poll(/** @type {Record<string, string>} */ form, /** @type {number} */ wait, /** @type {AbortController} */ abort) {
    const start = now();
    const { s, k = {}, d = {}, at } = await ask({ ...form, wait: `${wait}` }, wait, abort);
    if (!at) throw new Error(strange);
    for (const id of asking.keys()) if (typeof at[id] !== "string") throw new Refusal(`the server knows no event "${id}"`);
    yield /** @type {Answer} */ ({ at: Object.entries(at), k: Object.keys(k), d: Object.entries(d) });
    // Nothing new, and that too soon: the server is full or about to end, so it is not to be asked in a tight circle.
    if (wait && !s && now() - start < 1) await pause(1 + 2 * Math.random(), abort.signal);
  }

  /**
   * Yields what the server says of all that is wanted, until the connection is lost, which it throws, or aborted. The first
   * answer comes at once: it brings the cursors, and the good news. Where nothing is wanted, it waits until something is, and ends.
   */
  async function* follow(/** @type {AbortController} */ abort) {
    const { signal } = abort;
    for (let wait = 0; ;) {
      asking = wanted();
      prune(asking);
      if (!asking.size) {
        await pause(1e6, signal);
        return;
      }
      asked = now();
      // Whose data is not known is asked for as if it had never been seen.
      const from = new Map([...asking].map(([id, data]) => [id, data && !carried.has(id) ? never : cursors.get(id) ?? "now"]));
      const form = Object.fromEntries([...from].map(([id, cursor]) => [`subscribed[${id}]`, cursor]));
      if ([...asking.values()].includes(1)) form.data = "1";
      const streaming = wait && mayStream();
      for await (const { at, k, d } of streaming ? stream(form, signal) : poll(form, wait, abort)) {
        const data = new Map(d);
        const stamps = new Map(at);
        yield /** @type {Answer} */ ({
          at,
          k: k.filter((id) => from.get(id) !== never || (cursors.get(id) ?? stamps.get(id)) !== stamps.get(id)),
          d: [...asking].filter(([id, w]) => w && (k.includes(id) || !carried.has(id))).map(([id]) => [id, data.get(id)]),
        });
      }
      wait = streaming ? 0 : longestWait;
    }
  }

  // ---- what leader and others do alike

  /** @type {(id: string) => number} */
  const withData = (id) => +[...callbacks.get(id)?.values() ?? []].some(({ data }) => data);

  /** @type {(keep: { has(id: string): boolean }) => void} */
  const prune = (keep) => { // What nobody asks for grows old.
    for (const id of cursors.keys()) {
      if (keep.has(id)) continue;
      cursors.delete(id);
      carried.delete(id);
    }
  };

  /** Takes an answer in, and tells whether it lacks data that is needed. @type {(answer: Answer) => boolean} */
  const learn = ({ at, k, d }) => {
    const data = new Map(d);
    /** @type {[string, import("./novcomet.js").Callback, unknown][]} */
    const calls = [];
    let lacking = false;
    for (const [id, cursor] of at) {
      const mine = callbacks.get(id);
      if (!mine && !others.has(id)) continue;
      const same = cursors.get(id) === cursor;
      if (data.has(id)) carried.set(id, data.get(id));
      else if (withData(id) && !(same && carried.has(id))) {
        lacking = true;
        continue;
      } else if (!same) carried.delete(id);
      cursors.set(id, cursor);
      for (const [callback, subscription] of mine ?? []) {
        const { seen } = subscription;
        subscription.seen = cursor;
        // 0: never published, or not any more. Who wants data begins with what there is.
        if (+cursor && (seen ? seen !== cursor : subscription.data || k.includes(id))) {
          calls.push([id, callback, subscription.data ? carried.get(id) : undefined]);
        }
      }
    }
    if (!connected) {
      connected = true;
      emit("open");
    }
    const seconds = Object.fromEntries(calls.map(([id]) => [id, Math.floor(Number(cursors.get(id)))]));
    for (const [id, callback, value] of calls) if (callbacks.get(id)?.has(callback)) call(callback, seconds, value);
    return lacking;
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

  /** @typedef {Map<string, [number, string | undefined]>} Wishes id → 1 if with data, and the cursor of the data that is there */

  const report = (/** @type {Wishes} */ wishes = new Map()) => {
    const ids = [...wanted()];
    if (connected === false) return say(failure);
    if (!proven || !ids.every(([id, data]) => (data ? carried : cursors).has(id))) return say({});
    const stale = [...wishes].filter(([id, [data, cursor]]) => data && cursor !== cursors.get(id));
    say({ at: ids.map(([id]) => [id, cursors.get(id)]), k: [], d: stale.map(([id]) => [id, carried.get(id)]) });
  };

  const forget = () => {
    others.clear();
    called = now();
  };

  /** @type {(signal: AbortSignal) => Promise<void>} */
  const leading = async (signal) => {
    lead = signal;
    proven = false; // what this tab heard last may be older than what others did
    forget();
    prune(callbacks);
    report();
    signal.addEventListener("abort", () => connection.abort());
    while (!signal.aborted) {
      let mine = connection = new AbortController();
      try {
        for await (const answer of follow(mine)) {
          failures = due = 0;
          proven = true;
          say(answer);
          learn(answer);
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
      prune(callbacks);
    }
  };

  // ---- the others

  const hello = (urgent = false) => {
    if (!channel || !candidacy) return;
    const { signal } = candidacy;
    const since = now();
    const ids = new Map([...callbacks.keys()].map((id) => [id, [withData(id), carried.has(id) ? cursors.get(id) : undefined]]));
    say({ ids, wake: urgent });
    pause(doubt * (1 + Math.random()), signal).then(() => {
      if (!signal.aborted && !lead && heard < since) elect(true);
    });
  };

  /** @type {(event: MessageEvent) => void} */
  const hear = ({ data: said }) => {
    if (said.ids) {
      if (!lead) return;
      for (const [id, [data]] of /** @type {Wishes} */ (said.ids)) others.set(id, Math.max(others.get(id) ?? 0, data));
      report(said.ids);
      if (said.wake && (due || now() - asked > 1)) wake(); // many tabs may wake up at the same time
      // Also a pause that is over, for the timers of a hidden tab are late.
      if ([...wanted()].some(([id, data]) => (asking.get(id) ?? -1) < data) || due && now() > due) connection.abort();
      return;
    }
    heard = now();
    if (lead) return onStorage(); // somebody has taken over
    if (said.error) fail(said);
    if (!said.at) return;
    const lacking = learn(said);
    const told = new Map(said.at);
    if (lacking || ![...callbacks.keys()].every((id) => told.has(id))) hello();
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
    name = `novcomet 2 ${new Request(endpoint).url}`;
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
    init(url = endpoint, { stream: wish = streams } = {}) {
      if (url === endpoint && wish === streams) return client;
      if (running) leave();
      if (url !== endpoint) {
        polling = failed = 0;
        cursors.clear();
        carried.clear();
        for (const set of callbacks.values()) for (const subscription of set.values()) delete subscription.seen;
      }
      endpoint = url;
      streams = wish;
      if (running) join();
      return client;
    },

    subscribe(id, callback, { data = false } = {}) {
      const set = callbacks.get(id) ?? new Map();
      if (!set.size) { // from now on, whatever another tab knows
        callbacks.set(id, set);
        cursors.delete(id);
        carried.delete(id);
      }
      if (set.get(callback)?.data === data) return client;
      if (!set.size || data) renew();
      set.set(callback, { data, seen: data ? undefined : cursors.get(id) });
      return client;
    },

    unsubscribe(id, callback) {
      const set = callbacks.get(id);
      if (callback) set?.delete(callback);
      if (!callback || !set?.size) callbacks.delete(id);
      if (!wanted().size) renew();
      return client;
    },

    async publish(id, data) {
      const options = { method: "POST", body: JSON.stringify(data) ?? "" };
      if (await ask({ publish: id }, 0, new AbortController(), options) !== true) throw new Error(`the server could not publish ${id}`);
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
