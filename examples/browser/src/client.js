import { call } from "./time.js";
import { publish } from "./server.js";
import { createTokens } from "./token.js";
import { createTrust } from "./trust.js";
import { createTab } from "./tab.js";
import { createEvents } from "./events.js";

/** Returns a new client. @type {() => import("../novcomet.mjs").Client} */
export const createClient = () => {
  /** @type {Record<string, Set<Function>>} */
  const listeners = { open: new Set(), error: new Set(), close: new Set() };
  /** @type {AbortController | undefined} */
  let presence; // while the client runs; aborted by stop

  /** @type {(type: string, ...values: unknown[]) => void} */
  const emit = (type, ...values) => [...listeners[type]].forEach((listener) => call(() => listener(...values)));

  const tokens = createTokens();
  const events = createEvents(() => tab.renew());

  // What the tab and its leader share with the methods below.
  /** @type {import("./tab.js").Page} */
  const page = {
    url: "",
    stream: true,
    events,
    tokens,
    trust: createTrust(""),
    failure: {},

    wish: () => [...events.wish(), ...tokens.wish()],

    learn(answer, direct) {
      const lacking = events.learn(answer, direct);
      if (page.failure && !lacking) {
        page.failure = undefined;
        emit("open");
      }
      events.deliver(() => !!presence);
      return lacking;
    },

    fail(failure) {
      if (page.failure?.seconds === failure.seconds) return; // already reported
      page.failure = failure;
      emit("error", new Error(failure.error), failure.seconds);
    },
  };

  const tab = createTab(page);

  // The default URL is resolved when it is needed first, because init may follow.
  const settle = () => page.url || client.init();

  /** @type {import("../novcomet.mjs").Client} */
  const client = {
    init(url, { stream = page.stream, token } = {}) {
      let to = `${url ?? (page.url || "comet.php")}`;
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
      const other = to !== page.url;
      if (!other && stream === page.stream && (token === undefined || token === tokens.source())) return client;
      const joined = tab.leave();
      if (token !== undefined || other && page.url) tokens.set(token); // Another server must not get the token.
      if (other) {
        page.url = to;
        page.trust = createTrust(to);
        page.failure = {};
        events.restart();
      }
      page.stream = stream;
      if (joined) tab.join();
      return client;
    },

    subscribe(id, callback, { data = false, signal } = {}) {
      if (signal?.aborted) return client;
      if (events.subscribe(`${id}`, callback, data)) tab.renew();
      signal?.addEventListener("abort", () => client.unsubscribe(id, callback));
      return client;
    },

    unsubscribe(id, callback) {
      events.unsubscribe(`${id}`, callback);
      return client;
    },

    publish(id, data) {
      settle();
      return publish(page.url, `${id}`, data);
    },

    run() {
      if (presence) return client;
      settle();
      presence = new AbortController();
      tab.start(presence.signal);
      return client;
    },

    stop() {
      if (!presence) return client;
      presence.abort();
      presence = undefined;
      page.failure = {};
      tab.leave();
      emit("close");
      return client;
    },

    on(type, listener) {
      listeners[type].add(listener);
      return () => { listeners[type].delete(listener); };
    },

    client: (url, options) => createClient().init(url, options),

    get connected() { return !page.failure; },

    last: (id) => Number(events.cursors.get(`${id}`)) || undefined,
  };
  return client;
};
