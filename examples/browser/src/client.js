import { poll, stream } from "./answer.js";
import { elect, isOpen, resign } from "./election.js";
import { createEvents } from "./events.js";
import { asleep, doubt, grace, longestPause, longestWait, never, rollCall, silence } from "./limits.js";
import { publish, Refusal } from "./server.js";
import { call, now, pause, wall } from "./time.js";
import { createTokens } from "./token.js";
import { createTrust } from "./trust.js";
import { createWishes, those } from "./wishes.js";

/** @typedef {import("./answer.js").Answer} Answer */

/** Returns a new client. @type {() => import("../novcomet.mjs").Client} */
export const createClient = () => {
  let endpoint = "";
  let streams = true; // whether the page allows streams
  /** @type {Record<string, Set<Function>>} */
  const listeners = { open: new Set(), error: new Set(), close: new Set() };
  const me = `${Math.random()}`;
  const wishes = createWishes();
  const tokens = createTokens();
  const trust = createTrust();
  const events = createEvents((id) => wishes.asked().has(`0${id}`), () => renew());
  const { cursors, texts } = events;

  let running = false;
  /** @type {AbortController | undefined} */
  let presence; // aborted by stop
  let outcast = false; // whether this tab works alone because its wish was refused
  let barred = false; // whether the server refuses it now, too
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
  let called = 0; // when the leader last forgot the wishes of other tabs
  let due = 0; // when the pause after an error ends, or 0
  let failures = 0;
  /** @type {boolean | undefined} */
  let connected;
  /** @type {{ error?: string, seconds?: number }} */
  let failure = {};

  /** @type {(type: string, ...values: unknown[]) => void} */
  const emit = (type, ...values) => [...listeners[type]].forEach((listener) => call(() => listener(...values)));

  const own = () => [...events.wish(), ...tokens.list().map((token) => `t${token}`)];

  /**
   * Applies an answer, which may be direct from the server. Returns whether needed data is missing.
   * @type {(answer: Answer, direct?: boolean) => boolean}
   */
  const take = (answer, direct) => {
    const { calls, lacking } = events.learn(answer, direct);
    if (!connected && events.ids().every((id) => cursors.has(id))) {
      connected = true;
      emit("open");
    }
    events.deliver(calls, () => running);
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
  const renew = () => { // The wish of this tab may have changed.
    if (renewing || !running) return;
    renewing = true;
    queueMicrotask(() => { // after all subscriptions of the same script
      renewing = false;
      if (!lead) return hello();
      if (wishes.set(me, own()) && outcast) rejoin();
      else if (!wishes.covered() || !those(wishes.all(), "0").length) connection.abort();
      else if (connected) { // The request goes on, so new callbacks get what is known.
        if (take({ at: [...cursors], k: [], d: [] })) connection.abort();
      }
    });
  };

  // ---- the leader

  // Nothing that happens here may end a request. A tab that has heard nothing says hello.
  /** @type {(message: object) => void} */
  const say = (message) => {
    try {
      channel?.postMessage(message);
    } catch { /* The channel is closed. */ }
  };

  // Reports what is known, with the data that a tab wants and does not have.
  /** @type {(wish?: string[], has?: Map<string, string>) => void} */
  const report = (wish = [], has = new Map()) => {
    const all = wishes.all();
    const ids = those(all, "0");
    if (connected === false) return say(failure);
    if (!proven || !ids.every((id) => (all.has(`1${id}`) ? texts : cursors).has(id))) return say({});
    const stale = those(wish, "1").filter((id) => has.get(id) !== cursors.get(id));
    say({ at: ids.map((id) => [id, cursors.get(id)]), k: [], d: stale.map((id) => [id, texts.get(id)]) });
  };

  const callRoll = () => {
    wishes.clear();
    wishes.set(me, own());
    called = now();
    report();
  };

  /**
   * Yields the server's answers about all wanted events, until it is aborted or a stream has ended. It throws if
   * the connection is lost. The first answer arrives at once and has the cursors. If no event is wanted, it waits
   * until it is aborted.
   */
  async function* follow(/** @type {AbortController} */ abort) {
    for (let wait = 0; ;) {
      const wish = wishes.next();
      events.prune(wishes.all());
      const ids = those(wish, "0");
      if (!ids.length) {
        if (wishes.accept()) continue;
        return pause(1e6, abort.signal);
      }
      asked = now();
      // An event whose data is unknown is requested as if it had never been published.
      const lacking = new Set(those(wish, "1").filter((id) => !texts.has(id)));
      /** @type {import("./server.js").Form} */
      const form = ids.map((id) => [`subscribed[${id}]`, lacking.has(id) ? never : cursors.get(id) ?? "now"]);
      if (those(wish, "1").length) form.push(["data", "1"]);
      for (const token of those(wish, "t")) form.push(["token", token]);
      const streaming = wait && streams && trust.allows();
      for await (const { at, k, d } of streaming
        ? stream(endpoint, form, ids, abort, trust)
        : poll(endpoint, form, ids, wait, abort)) {
        wait = wishes.accept() ? 0 : longestWait;
        const data = new Map(d);
        const stamps = new Map(at);
        yield /** @type {Answer} */ ({
          at,
          k: k.filter((id) => !lacking.has(id) || (cursors.get(id) ?? stamps.get(id)) !== stamps.get(id)),
          d: those(wish, "1").filter((id) => k.includes(id) || !texts.has(id)).map((id) => [id, data.get(id)]),
        });
      }
      if (streaming) return;
    }
  }

  /** @type {(signal: AbortSignal) => Promise<void>} */
  const leading = async (signal) => {
    if (signal.aborted) return; // Browsers grant a stolen lock although the tab has left.
    lead = signal;
    proven = false; // other tabs may have later stamps
    callRoll();
    signal.addEventListener("abort", () => connection.abort());
    while (!signal.aborted) {
      let mine = connection = new AbortController();
      due = 0;
      try {
        for await (const answer of follow(mine)) {
          failures = 0;
          proven = true;
          say(answer);
          take(answer, true);
          const late = now() - called > rollCall;
          if (barred || late && outcast) rejoin();
          else if (late) callRoll();
        }
      } catch (problem) {
        const error = /** @type {Error} */ (mine.signal.reason ?? problem);
        if (signal.aborted || error.name === "AbortError") continue; // a new request is needed
        if (error instanceof Refusal) {
          const guilty = wishes.blame();
          if (channel) {
            if (guilty === me) refused(error.message);
            else if (guilty) say({ out: guilty, error: error.message });
            continue;
          }
          const renewed = await tokens.renew(error.message);
          wishes.set(me, own());
          if (renewed) continue;
          barred = outcast;
        }
        const seconds = Math.min(2 ** failures++, longestPause) * (0.75 + Math.random() / 2);
        due = now() + seconds;
        mine = connection = new AbortController();
        await pause(grace, mine.signal); // Firefox and WebKit fail the requests of a page before its pagehide.
        if (mine.signal.aborted) continue;
        fail({ error: error.message, seconds: due - now() });
        say(failure);
        await pause(due - now(), mine.signal);
      }
    }
    if (lead === signal) abdicate();
  };

  const abdicate = () => {
    lead = undefined;
    wishes.reset();
    events.prune(wishes.all());
  };

  // ---- the other tabs

  const hello = (urgent = false) => {
    if (!channel || !candidacy) return;
    const { signal } = candidacy;
    const since = now();
    say({ tab: me, wish: own(), has: new Map([...cursors].filter(([id]) => texts.has(id))), wake: urgent });
    pause(doubt * (1 + Math.random()), signal).then(() => {
      if (!signal.aborted && !lead && heard < since) campaign(true);
    });
  };

  /** The server refuses the wish of this tab. The others must not notice. @type {(reason: string) => Promise<void>} */
  const refused = async (reason) => {
    const before = candidacy;
    renewing = true; // It would be refused again.
    const renewed = await tokens.renew(reason);
    renewing = false;
    if (renewed || !channel || candidacy !== before) return renew();
    rejoin(false);
    outcast = true;
  };

  /** @type {(event: MessageEvent) => void} */
  const hear = ({ data: said }) => {
    if (said.wish) {
      if (!lead) return;
      wishes.set(said.tab, said.wish.map(String));
      report(said.wish, said.has);
      if (said.wake && (due || now() - asked > 1)) wake(); // many tabs may wake up at the same time
      // A pause may be over although its timer has not fired: timers of hidden tabs are late.
      if (!wishes.covered() || due && now() > due) connection.abort();
      return;
    }
    heard = now();
    if (lead) return onStorage(); // another tab leads
    if (said.out) {
      if (said.out === me) refused(said.error);
      return;
    }
    if (said.error) fail(said);
    if (!said.at) return;
    const lacking = take(said);
    const reported = new Map(said.at);
    if (lacking || !events.ids().every((id) => reported.has(id))) renew();
  };

  /** @type {(steal?: boolean) => Promise<void>} */
  const campaign = async (steal = false) => {
    candidacy?.abort();
    const { signal } = candidacy = new AbortController();
    try {
      if (channel) await elect(name, me, signal, steal, () => leading(signal));
      else await leading(signal);
    } catch (error) {
      if (signal.aborted) return;
      if (/** @type {Error} */ (error).name === "AbortError") return campaign(); // another tab has stolen the lock
      rejoin(false); // The browser refuses the lock or the storage, so this tab works alone.
    }
  };

  const onStorage = () => {
    if (channel && candidacy && isOpen(name, me, !!lead)) campaign();
  };

  // ---- the page

  const join = async (sharing = true) => {
    ticked = wall();
    heard = 0;
    if (sharing) {
      try {
        channel = new BroadcastChannel(name);
        channel.onmessage = hear;
      } catch { /* The browser has no channels, or refuses them, so this tab works alone. */ }
    }
    const session = ticking = setInterval(() => {
      const slept = wall() - ticked > asleep;
      ticked = wall();
      if (slept) wake();
      else if (channel && !lead && now() - heard > silence) hello();
    }, silence * 500);
    await tokens.first();
    if (ticking !== session) return;
    campaign();
    hello(true);
  };

  const leave = () => {
    if (channel && !lead) say({ tab: me, wish: [] });
    outcast = barred = false;
    candidacy?.abort();
    candidacy = undefined;
    abdicate();
    clearInterval(ticking);
    ticking = 0;
    channel?.close();
    channel = undefined;
    resign(name, me);
  };

  const rejoin = (sharing = true) => {
    leave();
    join(sharing);
  };

  /** @type {(to: { url?: string | URL, stream?: boolean, token?: import("../novcomet.mjs").Token }) => void} */
  const set = ({ url, stream: wish = streams, token }) => {
    let to = `${url ?? (endpoint || "comet.php")}`;
    try { // The page may change its own URL later.
      const parsed = new URL(to, globalThis.document?.baseURI ?? globalThis.location?.href);
      // Tabs with different tokens share a connection, so a token is no part of its URL.
      const { searchParams } = parsed;
      if (searchParams.has("token")) {
        token ??= searchParams.getAll("token");
        searchParams.delete("token");
      }
      to = parsed.href;
    } catch { /* There is no page. A wrong URL fails when it is used. */ }
    const other = to !== endpoint;
    if (!other && wish === streams && (token === undefined || token === tokens.source())) return;
    const was = ticking;
    if (was) leave();
    if (other) {
      name = `novcomet 3 ${to}`;
      trust.reset(name);
      events.restart();
    }
    if (token !== undefined || other && endpoint) tokens.set(token); // Another server must not get the token.
    endpoint = to;
    streams = wish;
    if (was) join();
  };

  // The default URL is resolved when it is needed first, because init may follow.
  const settle = () => endpoint || set({});

  // A suspended page could not lead. Browsers do not suspend a page that has a request or a lock.
  const rest = () => { if (ticking) leave(); };
  const rise = () => { if (!ticking) join(); };
  const reactions = {
    storage: onStorage,
    online: wake,
    offline: wake, // A waiting request may not notice.
    pagehide: rest,
    freeze: rest,
    pageshow: rise,
    resume: rise,
    visibilitychange: () => { if (!document.hidden) wake(); },
  };

  /** @type {import("../novcomet.mjs").Client} */
  const client = {
    init(url, options) {
      set({ url, ...options });
      return client;
    },

    subscribe(id, callback, { data = false, signal } = {}) {
      if (signal?.aborted) return client;
      if (events.subscribe(`${id}`, callback, data)) renew();
      signal?.addEventListener("abort", () => client.unsubscribe(id, callback));
      return client;
    },

    unsubscribe(id, callback) {
      events.unsubscribe(`${id}`, callback);
      return client;
    },

    publish(id, data) {
      settle();
      return publish(endpoint, `${id}`, data);
    },

    run() {
      if (running) return client;
      settle();
      running = true;
      presence = new AbortController();
      const { signal } = presence;
      for (const [type, listener] of Object.entries(reactions)) {
        globalThis.addEventListener?.(type, listener, { signal, capture: true }); // some are events of the document
      }
      join();
      return client;
    },

    stop() {
      if (!running) return client;
      running = false;
      connected = undefined;
      presence?.abort();
      leave();
      emit("close");
      return client;
    },

    on(type, listener) {
      listeners[type].add(listener);
      return () => { listeners[type].delete(listener); };
    },

    client: (url, options) => createClient().init(url, options),

    get connected() { return !!connected; },

    last: (id) => Number(cursors.get(`${id}`)) || undefined,
  };
  return client;
};
