// NovComet 0.2.0: reports to a page at once that something happened on the server. MIT License.
// The client's README.md and novcomet.d.mts say how to use it. This file is made from src by "npm run build".

// src/time.js
var now = () => performance.now() / 1e3;
var wall = () => Date.now() / 1e3;
var pause = (seconds, signal) => new Promise((resolve) => {
  const end = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    resolve();
  };
  const timer = setTimeout(end, signal.aborted ? 0 : seconds * 1e3);
  signal.addEventListener("abort", end);
});
var reportError = (error) => {
  setTimeout(() => {
    throw error;
  });
};
var call = (function_) => {
  try {
    function_();
  } catch (error) {
    reportError(error);
  }
};

// src/limits.js
var longestWait = 50;
var patience = 25;
var longestPause = 30;
var grace = 0.5;
var silence = 10;
var doubt = 5;
var asleep = 75;
var rollCall = 300;
var trial = 5;
var longestSilence = 45;
var distrust = [0, 60, 600, 3600];
var replay = 5;
var regret = 1;
var longestQuery = 2e3;
var longestFarewell = 65536;
var never = "0.000000";

// src/server.js
var Refusal = class extends Error {
};
var notAnAnswer = "not an answer of NovComet";
var request = (url, form, signal, options = {}) => {
  const query = new URLSearchParams(form);
  if (!options.method && (query.has("token") || `${query}`.length > longestQuery)) {
    options = { ...options, method: "POST", body: query };
  } else url += (url.includes("?") ? "&" : "?") + query;
  return fetch(url, { cache: "no-store", signal, ...options });
};
var ask = async (url, form, seconds, abort, options) => {
  const timer = setTimeout(() => abort.abort(new Error("no answer")), (seconds + patience) * 1e3);
  try {
    const response = await request(url, form, abort.signal, options);
    const answer2 = await response.json().catch(() => null);
    const { ok, status } = response;
    if (ok && answer2 !== null) return answer2;
    const refused = answer2?.error && [400, 403, 413].includes(status);
    throw new (refused ? Refusal : Error)(answer2?.error ?? (ok ? notAnAnswer : `HTTP ${status}`));
  } finally {
    clearTimeout(timer);
  }
};
var farewell = 0;
var publish = async (url, id, data) => {
  const body = data === void 0 ? "" : JSON.stringify(data);
  if (body === void 0) throw new TypeError(`${id}: JSON has no ${typeof data}`);
  const size = new Blob([body]).size + 1024;
  const keepalive = farewell + size <= longestFarewell;
  if (keepalive) farewell += size;
  try {
    const answer2 = await ask(url, [["publish", id]], 0, new AbortController(), { method: "POST", body, keepalive });
    if (answer2 !== true) throw new Error(`the server could not publish ${id}`);
    return true;
  } finally {
    if (keepalive) farewell -= size;
  }
};

// src/token.js
var createTokens = () => {
  let source;
  let value;
  let loading;
  let next = 0;
  const load2 = () => loading ?? (loading = (async () => {
    const from = source;
    let loaded;
    try {
      if (typeof from === "function") {
        loaded = await Promise.race([from(), pause(patience, new AbortController().signal)]);
      }
    } catch (error) {
      reportError(error);
    }
    if (source !== from) return;
    value = loaded || value;
    loading = void 0;
  })());
  return {
    /** @type {(to: import("../novcomet.mjs").Token | undefined) => void} */
    set(to) {
      source = to;
      value = typeof to === "function" ? void 0 : to;
      loading = void 0;
    },
    source: () => source,
    /** What the page wants of the server (wishes.js). */
    wish: () => (
      /** @type {string[]} */
      [].concat(value || []).map((token) => `t${token}`)
    ),
    /** Waits for the first token. */
    first: () => value || load2(),
    /**
     * Gets another token, if the server refused the last one.
     * @type {(reason: string) => Promise<boolean>}
     */
    async renew(reason) {
      const before = `${value}`;
      if (reason.includes("token") && (loading || now() > next)) {
        next = now() + silence;
        await load2();
      }
      return `${value}` !== before;
    }
  };
};

// src/storage.js
var load = (key) => {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null");
  } catch {
    return void 0;
  }
};
var save = (key, value) => localStorage.setItem(key, JSON.stringify(value));

// src/trust.js
var createTrust = (url) => {
  let since = 0;
  let failed = 0;
  const key = `novcomet 3 ${url} streams`;
  return {
    allows() {
      [since, failed] = load(key) ?? [since, failed];
      const age = wall() - since;
      return !(age >= 0 && age < distrust[failed]);
    },
    get failed() {
      return failed;
    },
    set(count) {
      failed = Math.min(count, distrust.length - 1);
      since = wall();
      try {
        save(key, [since, failed]);
      } catch {
      }
    }
  };
};

// src/election.js
var elect = async (name, me, signal, steal, lead) => {
  if (navigator.locks) {
    await navigator.locks.request(name, steal ? { steal } : { signal }, lead);
  } else if (steal || !load(name)) {
    save(name, me);
    await pause(0.1, signal);
    if (!signal.aborted && load(name) === me) await lead();
  }
};
var isOpen = (name, me, leads) => !navigator.locks && (leads ? load(name) !== me : !load(name));
var resign = (name, me) => {
  if (load(name) === me) localStorage.removeItem(name);
};

// src/answer.js
var texts = (values = {}) => Object.entries(values).map(([id, value]) => {
  try {
    return [id, JSON.stringify(value)];
  } catch (error) {
    reportError(error);
    return [id, void 0];
  }
});
var answer = (at, parts2) => ({
  at,
  k: parts2.flatMap(({ k = {} }) => Object.keys(k)),
  d: parts2.flatMap(({ d }) => texts(d))
});
async function* poll(url, form, ids, wait, abort) {
  const start = now();
  const part = await ask(url, [...form, ["wait", `${wait}`]], wait, abort);
  const { s, at } = part;
  if (!at) throw new Error(notAnAnswer);
  for (const id of ids) if (typeof at[id] !== "string") throw new Refusal(`the server knows no event "${id}"`);
  yield answer(Object.entries(at), [part]);
  if (wait && !s && now() - start < 1) await pause(1 + 2 * Math.random(), abort.signal);
}
async function* stream(url, form, ids, abort, trust) {
  const { signal } = abort;
  const start = now();
  let silent = false;
  let timer = 0;
  const expect = (seconds) => {
    const last = wall();
    clearTimeout(timer);
    timer = setTimeout(() => {
      silent = wall() - last < seconds + asleep;
      abort.abort();
    }, seconds * 1e3);
  };
  expect(trial);
  try {
    const { ok, headers, body } = await request(url, form, signal, { headers: { Accept: "text/event-stream" } });
    const reader = ok && headers.get("Content-Type")?.startsWith("text/event-stream") && body?.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    let stamps;
    let parts2 = [];
    while (reader) {
      const { done, value } = await reader.read();
      if (done) break;
      expect(longestSilence);
      if (trust.failed && now() - start > trial) trust.set(0);
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.startsWith("data: ")) parts2.push(JSON.parse(line.slice(6)));
        if (line.startsWith("id: ")) stamps = line.slice(4).split(",");
        else if (!stamps || line !== ":") continue;
        if (stamps.length !== ids.length) return;
        yield answer(stamps.map((stamp, i) => [ids[i], stamp]), parts2);
        parts2 = [];
      }
    }
  } catch {
  } finally {
    clearTimeout(timer);
    if (silent || !signal.aborted && now() - start < trial) trust.set(trust.failed + 1);
    abort.abort();
  }
}

// src/wishes.js
var parts = (wish, kind) => [...wish].flatMap((part) => part[0] === kind ? part.slice(1) : []);
var isIn = (wish, all) => wish.every((part) => all.has(part));
var createWishes = () => {
  const tabs = /* @__PURE__ */ new Map();
  let chosen = [];
  let asked = /* @__PURE__ */ new Set();
  let accepted = /* @__PURE__ */ new Set();
  let cautious = false;
  const all = () => [...tabs.values()].flat();
  const isPending = (wish = all()) => !isIn(wish, accepted);
  return {
    clear: () => tabs.clear(),
    /** Returns whether the wish has changed. @type {(tab: string, wish: string[]) => boolean} */
    set(tab, wish) {
      const before = JSON.stringify(tabs.get(tab));
      tabs.set(tab, wish);
      return JSON.stringify(wish) !== before;
    },
    all: () => new Set(all()),
    /** Reports whether the current request, or the next one, includes all wishes. */
    covered: () => cautious || isIn(all(), asked),
    /** Begins a request, and returns what to ask. */
    next() {
      let added = 0;
      chosen = [...tabs].filter(([, wish]) => !cautious || !isPending(wish) || !added++);
      return asked = new Set(chosen.flatMap(([, wish]) => wish));
    },
    /** The server has answered the request. Returns whether the next one has to add a tab. */
    accept() {
      accepted = asked;
      return cautious = cautious && isPending();
    },
    /**
     * The server has refused the request. Returns the guilty tab, if it is known.
     * @type {() => string | undefined}
     */
    blame() {
      const suspects = cautious ? chosen.filter(([, wish]) => isPending(wish)) : chosen;
      if (suspects.length === 1) {
        const [[tab, wish]] = suspects;
        return tabs.get(tab) === wish && tabs.delete(tab) ? tab : void 0;
      }
      accepted = /* @__PURE__ */ new Set();
      cautious = true;
      return void 0;
    }
  };
};

// src/leader.js
var createLeader = (page, me, signal, send, refused, share) => {
  const { events, tokens, trust } = page;
  const { cursors, texts: texts2 } = events;
  const wishes = createWishes();
  let proven = false;
  let connection = new AbortController();
  let asked = 0;
  let called = 0;
  let due = 0;
  let failures = 0;
  const report = (wish = [], has) => {
    if (page.failure) return send(page.failure);
    const all = wishes.all();
    const ids = parts(all, "0");
    if (!proven || !ids.every((id) => (all.has(`1${id}`) ? texts2 : cursors).has(id))) return send({});
    const stale = parts(wish, "1").filter((id) => has?.get(id) !== cursors.get(id));
    send({ at: ids.map((id) => [id, cursors.get(id)]), k: [], d: stale.map((id) => [id, texts2.get(id)]) });
  };
  const callRoll = () => {
    wishes.clear();
    wishes.set(me, page.wish());
    report();
    called = now();
  };
  async function* follow() {
    for (let wait = 0; ; ) {
      const wish = wishes.next();
      events.want(wishes.all());
      const ids = parts(wish, "0");
      if (!ids.length) {
        if (wishes.accept()) continue;
        return pause(1e6, connection.signal);
      }
      asked = now();
      const dataIDs = parts(wish, "1");
      const lacking = new Set(dataIDs.filter((id) => !texts2.has(id)));
      const form = ids.map((id) => [`subscribed[${id}]`, lacking.has(id) ? never : cursors.get(id) ?? "now"]);
      if (dataIDs.length) form.push(["data", "1"]);
      for (const token of parts(wish, "t")) form.push(["token", token]);
      const streaming = wait && page.stream && trust.allows();
      for await (const { at, k, d } of streaming ? stream(page.url, form, ids, connection, trust) : poll(page.url, form, ids, wait, connection)) {
        wait = wishes.accept() ? 0 : longestWait;
        const data = new Map(d);
        const stamps = new Map(at);
        yield (
          /** @type {Answer} */
          {
            at,
            k: k.filter((id) => !lacking.has(id) || cursors.has(id) && cursors.get(id) !== stamps.get(id)),
            d: dataIDs.filter((id) => k.includes(id) || !texts2.has(id)).map((id) => [id, data.get(id)])
          }
        );
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
          for await (const answer2 of follow()) {
            if (signal.aborted) return;
            failures = 0;
            proven = true;
            send(answer2);
            page.learn(answer2, true);
            if (now() - called > rollCall) {
              if (share) share();
              else callRoll();
            }
          }
        } catch (problem) {
          const error = (
            /** @type {Error} */
            connection.signal.reason ?? problem
          );
          if (signal.aborted || error.name === "AbortError") continue;
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
            called = -rollCall;
          }
          const seconds = Math.min(2 ** failures++, longestPause) * (0.75 + Math.random() / 2);
          due = now() + seconds;
          connection = new AbortController();
          await pause(grace, connection.signal);
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
      else if (!page.failure) page.learn({ at: [...cursors], k: [], d: [] });
    },
    /** Another tab wants something. @type {(message: import("./tab.js").Hello) => void} */
    accept({ tab, wish, has, wake: urgent }) {
      wishes.set(tab, wish.map(String));
      report(wish, has);
      if (urgent && (due || now() - asked > 1)) wake();
      if (!wishes.covered() || due && now() > due) connection.abort();
    }
  };
};

// src/tab.js
var createTab = (page) => {
  const { events, tokens } = page;
  const me = `${Math.random()}`;
  let name = "";
  let channel;
  let candidacy;
  let leader;
  let excluded = false;
  let lastMessage = 0;
  let ticking = 0;
  let ticked = 0;
  const send = (message) => {
    try {
      channel?.postMessage(message);
    } catch {
    }
  };
  const hello = (wake2 = false) => {
    if (!channel || !candidacy) return;
    const { signal } = candidacy;
    const since = now();
    send({
      tab: me,
      wish: page.wish(),
      wake: wake2,
      has: new Map([...events.cursors].filter(([id]) => events.texts.has(id)))
    });
    pause(doubt * (1 + Math.random()), signal).then(() => {
      if (!signal.aborted && !leader && lastMessage < since) campaign(true);
    });
  };
  const wake = () => {
    if (leader) leader.wake();
    else hello(true);
  };
  let renewing = false;
  const renew = () => {
    if (renewing) return;
    renewing = true;
    queueMicrotask(() => {
      renewing = false;
      if (leader) leader.renew();
      else hello();
    });
  };
  const refused = async (reason) => {
    const before = candidacy;
    renewing = true;
    const renewed = await tokens.renew(reason);
    renewing = false;
    if (renewed || !channel || candidacy !== before) return renew();
    rejoin(false);
    excluded = true;
  };
  const receive = ({ data: message }) => {
    if (message.wish) return leader ? leader.accept(message) : checkLead();
    lastMessage = now();
    if (leader) return checkLead();
    if (message.out === me) refused(message.error);
    if (message.error && !message.out) page.fail(message);
    if (message.at && page.learn(message)) renew();
  };
  const leading = async (signal) => {
    if (signal.aborted) return;
    const mine = leader = createLeader(page, me, signal, send, channel && refused, excluded && rejoin);
    await mine.lead();
    if (leader === mine) abdicate();
  };
  const abdicate = () => {
    leader = void 0;
    events.want();
  };
  const campaign = async (steal) => {
    candidacy?.abort();
    const { signal } = candidacy = new AbortController();
    try {
      await (channel ? elect(name, me, signal, steal, () => leading(signal)) : leading(signal));
    } catch (error) {
      if (signal.aborted) return;
      if (
        /** @type {Error} */
        error.name === "AbortError"
      ) return campaign();
      rejoin(false);
    }
  };
  const checkLead = () => {
    if (channel && candidacy && isOpen(name, me, !!leader)) campaign();
  };
  const join = async (sharing = true) => {
    if (ticking) return;
    name = `novcomet 3 ${page.url}`;
    ticked = wall();
    if (sharing) {
      try {
        channel = new BroadcastChannel(name);
        channel.onmessage = receive;
      } catch {
      }
    }
    const session = ticking = setInterval(() => {
      const slept = wall() - ticked > asleep;
      ticked = wall();
      if (slept) wake();
      else if (channel && !leader && now() - lastMessage > silence) hello();
    }, silence * 500);
    await tokens.first();
    if (ticking !== session) return;
    campaign();
    hello(true);
  };
  const leave = () => {
    if (!ticking) return false;
    resign(name, me);
    send({ tab: me, wish: [] });
    excluded = false;
    candidacy?.abort();
    candidacy = void 0;
    abdicate();
    clearInterval(ticking);
    ticking = 0;
    channel?.close();
    channel = void 0;
    return true;
  };
  const rejoin = (sharing = true) => {
    if (leave()) join(sharing);
  };
  const reactions = {
    storage: checkLead,
    online: wake,
    offline: wake,
    // A waiting request may not notice.
    pagehide: leave,
    freeze: leave,
    pageshow: () => join(),
    resume: () => join(),
    visibilitychange: () => {
      if (!document.hidden) wake();
    }
  };
  return {
    renew,
    join,
    leave,
    /** Joins, and reacts to the browser until the signal. @type {(signal: AbortSignal) => void} */
    start(signal) {
      for (const [type, listener] of Object.entries(reactions)) {
        globalThis.addEventListener?.(type, listener, { signal, capture: true });
      }
      join();
    }
  };
};

// src/events.js
var createEvents = (dropped) => {
  const callbacks = /* @__PURE__ */ new Map();
  const cursors = /* @__PURE__ */ new Map();
  const texts2 = /* @__PURE__ */ new Map();
  let wanted = /* @__PURE__ */ new Set();
  let since = 0;
  const withData = (id) => [...callbacks.get(id) ?? []].some(([, { data }]) => data);
  const all = () => [...callbacks.values()].flatMap((set) => [...set.values()]);
  const isDue = ({ id, data, seen }) => seen && seen !== cursors.get(id) && Number(cursors.get(id)) && data !== void 0;
  const prune = () => {
    for (const id of cursors.keys()) {
      if (!callbacks.has(id) && !wanted.has(`0${id}`)) {
        cursors.delete(id);
        texts2.delete(id);
      }
    }
  };
  return {
    cursors,
    texts: texts2,
    /** What the page wants of the server. */
    wish: () => [...callbacks.keys()].flatMap((id) => [`0${id}`].concat(withData(id) ? `1${id}` : [])),
    /**
     * Returns whether the subscription is new.
     * @type {(id: string, callback: Callback, data: boolean) => boolean}
     */
    subscribe(id, callback, data) {
      const set = callbacks.get(id) ?? /* @__PURE__ */ new Map();
      callbacks.set(id, set);
      if (set.get(callback)?.data === data) return false;
      const removed = [...set.values()].find((subscription) => subscription.data === void 0);
      set.set(callback, { id, callback, data, seen: data ? void 0 : removed?.seen ?? cursors.get(id) });
      return true;
    },
    // A framework may soon subscribe again. Until then the event goes on, and the removed callback keeps its
    // cursor for the next one, so that nothing is missed.
    /** @type {(id: string, callback?: Callback) => void} */
    unsubscribe(id, callback) {
      const set = callbacks.get(id);
      for (const [key, subscription] of set ?? []) {
        if (callback && callback !== key) continue;
        subscription.data = void 0;
        setTimeout(() => {
          if (set?.get(key) !== subscription) return;
          set.delete(key);
          if (set.size) return;
          callbacks.delete(id);
          prune();
          dropped();
        }, regret * 1e3);
      }
    },
    /** Begins anew, with another server. */
    restart() {
      cursors.clear();
      texts2.clear();
      for (const subscription of all()) delete subscription.seen;
    },
    /** Sets the wishes of all tabs. @type {(wishes?: Set<string>) => void} */
    want(wishes = /* @__PURE__ */ new Set()) {
      wanted = wishes;
      prune();
    },
    /**
     * Applies an answer, of the server itself or of another tab. A cursor of another tab may be older because
     * that tab was blocked. If it stays older, the event has got an older stamp, for example from a restored
     * file. Returns whether the answer lacks an event of the page, or its data.
     * @type {(answer: Answer, direct?: boolean) => boolean}
     */
    learn({ at, k, d }, direct) {
      const data = new Map(d);
      const stamps = new Map(at);
      let lacking = [...callbacks.keys()].some((id) => !stamps.has(id));
      let older = 0;
      for (const [id, cursor] of at) {
        const mine = callbacks.get(id);
        if (!mine && !wanted.has(`0${id}`)) continue;
        const known = cursors.get(id);
        if (+cursor && Number(known) > +cursor) {
          older = since || now();
          if (!direct && now() - older < replay) continue;
        }
        if (data.has(id)) texts2.set(id, data.get(id));
        else if (withData(id) && !(known === cursor && texts2.has(id))) {
          lacking = true;
          continue;
        } else if (known !== cursor) texts2.delete(id);
        cursors.set(id, cursor);
        for (const [, subscription] of mine ?? []) {
          subscription.seen ?? (subscription.seen = +cursor && (subscription.data || k.includes(id)) ? never : cursor);
        }
      }
      since = older;
      return lacking;
    },
    /**
     * Calls each callback that has not seen the cursor of its event, with values of its own. What a stopped
     * client leaves out, the next run delivers.
     * @type {(isRunning: () => boolean) => void}
     */
    deliver(isRunning) {
      const due = all().filter(isDue);
      const seconds = due.map(({ id }) => [id, Math.floor(Number(cursors.get(id)))]);
      for (const subscription of due) {
        if (!isDue(subscription) || !isRunning()) continue;
        const { id, callback, data } = subscription;
        subscription.seen = cursors.get(id);
        const text = data ? texts2.get(id) : void 0;
        call(() => callback(Object.fromEntries(seconds), text && JSON.parse(text)));
      }
    }
  };
};

// src/client.js
var createClient = () => {
  const listeners = { open: /* @__PURE__ */ new Set(), error: /* @__PURE__ */ new Set(), close: /* @__PURE__ */ new Set() };
  let presence;
  const emit = (type, ...values) => [...listeners[type]].forEach((listener) => call(() => listener(...values)));
  const tokens = createTokens();
  const events = createEvents(() => tab.renew());
  const page = {
    url: "",
    stream: true,
    events,
    tokens,
    trust: createTrust(""),
    failure: {},
    wish: () => [...events.wish(), ...tokens.wish()],
    learn(answer2, direct) {
      const lacking = events.learn(answer2, direct);
      if (page.failure && !lacking) {
        page.failure = void 0;
        emit("open");
      }
      events.deliver(() => !!presence);
      return lacking;
    },
    fail(failure) {
      if (page.failure?.seconds === failure.seconds) return;
      page.failure = failure;
      emit("error", new Error(failure.error), failure.seconds);
    }
  };
  const tab = createTab(page);
  const settle = () => page.url || client.init();
  const client = {
    init(url, { stream: stream2 = page.stream, token } = {}) {
      let to = `${url ?? (page.url || "comet.php")}`;
      try {
        const parsed = new URL(to, globalThis.document?.baseURI ?? globalThis.location?.href);
        const { searchParams } = parsed;
        if (searchParams.has("token")) {
          token ?? (token = searchParams.getAll("token"));
          searchParams.delete("token");
        }
        to = parsed.href;
      } catch {
      }
      const other = to !== page.url;
      if (!other && stream2 === page.stream && (token === void 0 || token === tokens.source())) return client;
      const joined = tab.leave();
      if (token !== void 0 || other && page.url) tokens.set(token);
      if (other) {
        page.url = to;
        page.trust = createTrust(to);
        page.failure = {};
        events.restart();
      }
      page.stream = stream2;
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
      presence = void 0;
      page.failure = {};
      tab.leave();
      emit("close");
      return client;
    },
    on(type, listener) {
      listeners[type].add(listener);
      return () => {
        listeners[type].delete(listener);
      };
    },
    client: (url, options) => createClient().init(url, options),
    get connected() {
      return !page.failure;
    },
    last: (id) => Number(events.cursors.get(`${id}`)) || void 0
  };
  return client;
};

// src/index.js
var NovComet = createClient();
export {
  NovComet,
  NovComet as default
};
