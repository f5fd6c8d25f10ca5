/** Returns a new client. @type {() => import("../novcomet.mjs").Client} */
export const createClient = () => {
  // Times are in seconds. Browsers use milliseconds.
  const longestWait = 50; // of a poll; the server may be configured to wait less
  const patience = 25; // until a request has failed, in addition to its wait
  const longestPause = 30; // between two attempts
  const silence = 10; // until a tab sends a message to a silent leader
  const doubt = 5; // until the tab becomes the leader, plus a random time up to the same, so that not all do at once
  const asleep = 75; // after a longer pause of the timer the machine was asleep; hidden tabs have one tick a minute
  const rollCall = 300; // until the leader forgets the wishes of other tabs, which then repeat them
  const trial = 5; // how long a new stream may be silent, and must last
  const longestSilence = 45; // of a stream; the server sends a comment every 20
  const distrust = [0, 60, 600, 3600]; // until the next stream, after 0, 1, 2 and more failed streams
  const longestQuery = 2000; // characters; a longer query is sent by POST
  const never = "0.000000"; // the cursor of an event that was never published

  let endpoint = "comet.php";
  let streams = true; // whether the page allows streams
  // seen is the cursor of the last call, or of the beginning.
  /** @typedef {{ data: boolean, seen?: string }} Subscription */
  /** @type {Map<string, Map<import("../novcomet.mjs").Callback, Subscription>>} */
  const callbacks = new Map(); // this tab's subscriptions
  /** @type {Record<string, Function[]>} */
  const listeners = { open: [], error: [], close: [] };
  /** @type {Map<string, string>} */
  const cursors = new Map(); // id → the last stamp, as the server writes it
  /** @type {Map<string, unknown>} */
  const carried = new Map(); // id → the data of this cursor, undefined if it has none; missing if it is unknown
  /** @type {Map<string, number>} */
  const others = new Map(); // the wishes of other tabs, while this one leads: id → 1 with data, 0 without
  /** @type {Map<string, number>} */
  let asking = new Map(); // the wishes of all tabs in the current request
  const me = Math.random().toString(36).slice(2);

  let running = false;
  let sharing = true;
  let name = ""; // of the channel and the lock
  /** @type {BroadcastChannel | undefined} */
  let channel;
  /** @type {AbortController | undefined} */
  let candidacy; // aborted when this tab leaves, or no longer leads
  /** @type {AbortSignal | undefined} */
  let lead; // the signal of the candidacy, while this tab leads
  let proven = false; // whether the server has answered since this tab leads
  let connection = new AbortController(); // aborting it starts the next request now
  let ticking = 0;
  let ticked = 0;
  let heard = 0; // when the last message of the leader arrived
  let asked = 0; // when this tab last sent a request to the server
  let polling = 0; // until when the client polls without trying a stream
  let failed = 0; // how many streams have failed since one worked
  let called = 0; // when the leader last forgot the wishes of other tabs
  let due = 0; // when the pause after an error ends, or 0
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

  // An exception of the page's function appears in the console, and does not disturb other functions.
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
    // Without no-store a browser delays a request until the same request of another tab is answered.
    return fetch(url, { cache: "no-store", signal, ...options });
  };

  /**
   * @type {(form: Record<string, string>, seconds: number, abort: AbortController, options?: RequestInit) =>
   *   Promise<any>}
   */
  const ask = async (form, seconds, abort, options) => {
    const timer = setTimeout(() => abort.abort(new Error("no answer in time")), (seconds + patience) * 1000);
    try {
      const response = await request(form, abort.signal, options);
      const answer = await response.json().catch(() => null); // null for a web server's own page
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
    } catch { /* The page has no storage. */ }
    return streams && now() >= polling;
  };

  /** @type {(count: number) => void} */
  const judge = (count) => {
    failed = Math.min(count, distrust.length - 1);
    polling = now() + distrust[failed];
    try {
      localStorage.setItem(memory(), JSON.stringify([polling, failed])); // for the next page, and the next leader
    } catch { /* The page has no storage, so only this page knows. */ }
  };

  // An answer has entries instead of objects, because an id may be __proto__.
  /** @typedef {{ at: [string, string][], k: string[], d: [string, unknown][] }} Answer */

  /** Yields the answers of a stream until its end. It throws no error: the next poll reports the reason. */
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
        silent = now() - last < seconds + asleep; // otherwise the machine was asleep
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
      let stamps; // of all ids, in the order of ids
      /** @type {any[]} */
      let parts = []; // of an answer, one for each changed event
      while (reader) {
        const { done, value } = await reader.read();
        if (done) break;
        expect(longestSilence);
        if (failed && now() - start > trial) judge(0); // A proxy may pass on only the beginning.
        const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          if (line.startsWith("data: ")) parts.push(JSON.parse(line.slice(6)));
          if (line.startsWith("id: ")) stamps = line.slice(4).split(","); // the last line of an answer
          else if (!stamps || line !== ":") continue; // A comment confirms the last stamps.
          const of = (/** @type {string} */ field) => parts.flatMap((part) => Object.entries(part[field] ?? {}));
          if (stamps.length !== ids.length) throw new Error(strange);
          const at = ids.map((id, i) => [id, stamps?.[i]]);
          yield /** @type {Answer} */ ({ at, k: of("k").map(([id]) => id), d: of("d") });
          parts = [];
        }
      }
    } catch { /* The next poll reports the reason. */ } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      end();
    }
    // failed has the value from the beginning of the stream, so streams of several tabs that fail together
    // count once.
    if (!signal.aborted && (silent || now() - start < trial)) judge(failed + 1);
  }

  const wanted = () => {
    const all = new Map(others);
    for (const id of callbacks.keys()) all.set(id, Math.max(all.get(id) ?? 0, withData(id)));
    return all;
  };

  /** Yields the answer of a poll. */
  async function* poll(
    /** @type {Record<string, string>} */ form, /** @type {number} */ wait, /** @type {AbortController} */ abort,
  ) {
    const start = now();
    const { s, k = {}, d = {}, at } = await ask({ ...form, wait: `${wait}` }, wait, abort);
    if (!at) throw new Error(strange);
    for (const id of asking.keys()) {
      if (typeof at[id] !== "string") throw new Refusal(`the server knows no event "${id}"`);
    }
    yield /** @type {Answer} */ ({ at: Object.entries(at), k: Object.keys(k), d: Object.entries(d) });
    // If an unchanged answer arrives too soon, the server is full or about to end. The next poll has to wait.
    if (wait && !s && now() - start < 1) await pause(1 + 2 * Math.random(), abort.signal);
  }

  /**
   * Yields the server's answers about all wanted events, until it is aborted. It throws if the connection is
   * lost. The first answer arrives at once and has the cursors. If no event is wanted, it waits until it is
   * aborted.
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
      // An event whose data is unknown is requested as if it had never been published.
      const cursor = (/** @type {string} */ id) => cursors.get(id) ?? "now";
      const from = new Map([...asking].map(([id, data]) => [id, data && !carried.has(id) ? never : cursor(id)]));
      const form = Object.fromEntries([...from].map(([id, since]) => [`subscribed[${id}]`, since]));
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

  // ---- all tabs

  /** @type {(id: string) => number} */
  const withData = (id) => +[...callbacks.get(id)?.values() ?? []].some(({ data }) => data);

  /** @type {(keep: { has(id: string): boolean }) => void} */
  const prune = (keep) => { // Cursors of events that are no longer requested become stale.
    for (const id of cursors.keys()) {
      if (keep.has(id)) continue;
      cursors.delete(id);
      carried.delete(id);
    }
  };

  // Applies an answer and calls callbacks. Returns whether needed data is missing.
  /** @type {(answer: Answer) => boolean} */
  const learn = ({ at, k, d }) => {
    const data = new Map(d);
    /** @type {[string, import("../novcomet.mjs").Callback, unknown][]} */
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
        // A cursor is 0 if the event was never published, or was removed. A subscription with data begins
        // with the last data.
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
    if (connected === false && what.seconds === failure.seconds) return; // already reported
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
    queueMicrotask(() => { // after all subscriptions of the same script
      renewing = false;
      if (lead) connection.abort();
      else hello();
    });
  };

  // ---- the leader

  /** @type {(message: object) => void} */
  const say = (message) => channel?.postMessage(message);

  // Wishes of a tab: id → 1 with data or 0, and the cursor of the data that the tab has.
  /** @typedef {Map<string, [number, string | undefined]>} Wishes */

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
    proven = false; // other tabs may have later stamps
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
        if (signal.aborted || error.name === "AbortError") continue; // a new request is needed
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

  // ---- the other tabs

  const hello = (urgent = false) => {
    if (!channel || !candidacy) return;
    const { signal } = candidacy;
    const since = now();
    const wish = (/** @type {string} */ id) => [withData(id), carried.has(id) ? cursors.get(id) : undefined];
    const ids = new Map([...callbacks.keys()].map((id) => [id, wish(id)]));
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
      // A pause may be over although its timer has not fired: timers of hidden tabs are late.
      if ([...wanted()].some(([id, data]) => (asking.get(id) ?? -1) < data) || due && now() > due) connection.abort();
      return;
    }
    heard = now();
    if (lead) return onStorage(); // another tab leads
    if (said.error) fail(said);
    if (!said.at) return;
    const lacking = learn(said);
    const reported = new Map(said.at);
    if (lacking || ![...callbacks.keys()].every((id) => reported.has(id))) hello();
  };

  // ---- the election

  const held = () => localStorage.getItem(name);

  /** @type {(signal: AbortSignal, steal: boolean) => Promise<void>} */
  const lease = async (signal, steal) => {
    if (!steal && held()) return;
    localStorage.setItem(name, me);
    await pause(0.1, signal); // another tab may write at the same moment; the last one leads
    if (!signal.aborted && held() === me) await leading(signal);
  };

  /** @type {(steal?: boolean) => Promise<void>} */
  const elect = async (steal = false) => {
    candidacy?.abort();
    const { signal } = candidacy = new AbortController();
    try {
      if (!channel) await leading(signal);
      else if (navigator.locks) {
        await navigator.locks.request(name, steal ? { steal } : { signal }, () => leading(signal));
      } else await lease(signal, steal);
    } catch (error) {
      if (signal.aborted) return;
      if (/** @type {Error} */ (error).name === "AbortError") elect(); // another tab has stolen the lock
      else if (channel) withdraw(); // the page has no storage, so it cannot share
      else throw error;
    }
  };

  const onStorage = () => {
    if (!navigator.locks && running && channel && (lead ? held() !== me : !held())) elect();
  };

  const withdraw = () => { // leaves the other tabs until the next run
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
    } catch { /* The page has no storage. */ }
  };

  // A suspended page could not lead. Browsers do not suspend a page that has a request or a lock.
  const rest = () => running && leave();
  const rise = () => running && !ticking && join();
  const { document } = globalThis; // undefined in a worker
  globalThis.addEventListener?.("storage", onStorage);
  globalThis.addEventListener?.("online", wake);
  globalThis.addEventListener?.("offline", wake); // a waiting request may not notice
  globalThis.addEventListener?.("pagehide", rest);
  globalThis.addEventListener?.("pageshow", rise);
  document?.addEventListener("freeze", rest);
  document?.addEventListener("resume", rise);
  document?.addEventListener("visibilitychange", () => document.hidden || wake());

  /** @type {import("../novcomet.mjs").Client} */
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
      if (!set.size) { // The event begins now, without what another tab knew before.
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
      const answer = await ask({ publish: id }, 0, new AbortController(), options);
      if (answer !== true) throw new Error(`the server could not publish ${id}`);
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
};
