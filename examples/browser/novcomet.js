// NovComet 0.2.0: reports to a page at once that something happened on the server. MIT License.
// The client's README.md and novcomet.d.mts say how to use it. This file is made from src by "npm run build".

var NovComet = (() => {
  "use strict";
  // src/client.js
  var createClient = () => {
    const longestWait = 50;
    const patience = 25;
    const longestPause = 30;
    const silence = 10;
    const doubt = 5;
    const asleep = 75;
    const rollCall = 300;
    const trial = 5;
    const longestSilence = 45;
    const distrust = [0, 60, 600, 3600];
    const longestQuery = 2e3;
    const never = "0.000000";
    let endpoint = "comet.php";
    let streams = true;
    const callbacks = /* @__PURE__ */ new Map();
    const listeners = { open: [], error: [], close: [] };
    const cursors = /* @__PURE__ */ new Map();
    const carried = /* @__PURE__ */ new Map();
    const others = /* @__PURE__ */ new Map();
    let asking = /* @__PURE__ */ new Map();
    const me = Math.random().toString(36).slice(2);
    let running = false;
    let sharing = true;
    let name = "";
    let channel;
    let candidacy;
    let lead;
    let proven = false;
    let connection = new AbortController();
    let ticking = 0;
    let ticked = 0;
    let heard = 0;
    let asked = 0;
    let polling = 0;
    let failed = 0;
    let called = 0;
    let due = 0;
    let failures = 0;
    let connected;
    let failure = {};
    const now = () => Date.now() / 1e3;
    const pause = (seconds, signal) => new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, signal.aborted ? 0 : seconds * 1e3);
      signal.addEventListener("abort", end);
    });
    const call = (function_, ...values) => {
      try {
        function_(...values);
      } catch (error) {
        setTimeout(() => {
          throw error;
        });
      }
    };
    const emit = (type, ...values) => listeners[type].forEach((listener) => call(listener, ...values));
    class Refusal extends Error {
    }
    const strange = "not an answer of NovComet";
    const request = (form, signal, options) => {
      const query = new URLSearchParams(form);
      let url = endpoint;
      if (options?.method || `${query}`.length <= longestQuery) url += (url.includes("?") ? "&" : "?") + query;
      else options = { ...options, method: "POST", body: query };
      return fetch(url, { cache: "no-store", signal, ...options });
    };
    const ask = async (form, seconds, abort, options) => {
      const timer = setTimeout(() => abort.abort(new Error("no answer in time")), (seconds + patience) * 1e3);
      try {
        const response = await request(form, abort.signal, options);
        const answer = await response.json().catch(() => null);
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
      } catch {
      }
      return streams && now() >= polling;
    };
    const judge = (count) => {
      failed = Math.min(count, distrust.length - 1);
      polling = now() + distrust[failed];
      try {
        localStorage.setItem(memory(), JSON.stringify([polling, failed]));
      } catch {
      }
    };
    async function* stream(form, signal) {
      const start = now();
      const own = new AbortController();
      const end = () => own.abort();
      let silent = false;
      let timer = 0;
      const expect = (seconds) => {
        const last = now();
        clearTimeout(timer);
        timer = setTimeout(() => {
          silent = now() - last < seconds + asleep;
          end();
        }, seconds * 1e3);
      };
      signal.addEventListener("abort", end);
      if (signal.aborted) end();
      expect(trial);
      try {
        const ids = [...asking.keys()];
        const { ok, headers, body } = await request(form, own.signal, { headers: { Accept: "text/event-stream" } });
        const reader = ok && headers.get("Content-Type")?.startsWith("text/event-stream") && body?.getReader();
        const decoder = new TextDecoder();
        let rest2 = "";
        let stamps;
        let parts = [];
        while (reader) {
          const { done, value } = await reader.read();
          if (done) break;
          expect(longestSilence);
          if (failed && now() - start > trial) judge(0);
          const lines = (rest2 + decoder.decode(value, { stream: true })).split("\n");
          rest2 = lines.pop() ?? "";
          for (const line of lines) {
            if (line.startsWith("data: ")) parts.push(JSON.parse(line.slice(6)));
            if (line.startsWith("id: ")) stamps = line.slice(4).split(",");
            else if (!stamps || line !== ":") continue;
            const of = (field) => parts.flatMap((part) => Object.entries(part[field] ?? {}));
            if (stamps.length !== ids.length) throw new Error(strange);
            const at = ids.map((id, i) => [id, stamps?.[i]]);
            yield (
              /** @type {Answer} */
              { at, k: of("k").map(([id]) => id), d: of("d") }
            );
            parts = [];
          }
        }
      } catch {
      } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        end();
      }
      if (!signal.aborted && (silent || now() - start < trial)) judge(failed + 1);
    }
    const wanted = () => {
      const all = new Map(others);
      for (const id of callbacks.keys()) all.set(id, Math.max(all.get(id) ?? 0, withData(id)));
      return all;
    };
    async function* poll(form, wait, abort) {
      const start = now();
      const { s, k = {}, d = {}, at } = await ask({ ...form, wait: `${wait}` }, wait, abort);
      if (!at) throw new Error(strange);
      for (const id of asking.keys()) {
        if (typeof at[id] !== "string") throw new Refusal(`the server knows no event "${id}"`);
      }
      yield (
        /** @type {Answer} */
        { at: Object.entries(at), k: Object.keys(k), d: Object.entries(d) }
      );
      if (wait && !s && now() - start < 1) await pause(1 + 2 * Math.random(), abort.signal);
    }
    async function* follow(abort) {
      const { signal } = abort;
      for (let wait = 0; ; ) {
        asking = wanted();
        prune(asking);
        if (!asking.size) {
          await pause(1e6, signal);
          return;
        }
        asked = now();
        const cursor = (id) => cursors.get(id) ?? "now";
        const from = new Map([...asking].map(([id, data]) => [id, data && !carried.has(id) ? never : cursor(id)]));
        const form = Object.fromEntries([...from].map(([id, since]) => [`subscribed[${id}]`, since]));
        if ([...asking.values()].includes(1)) form.data = "1";
        const streaming = wait && mayStream();
        for await (const { at, k, d } of streaming ? stream(form, signal) : poll(form, wait, abort)) {
          const data = new Map(d);
          const stamps = new Map(at);
          yield (
            /** @type {Answer} */
            {
              at,
              k: k.filter((id) => from.get(id) !== never || (cursors.get(id) ?? stamps.get(id)) !== stamps.get(id)),
              d: [...asking].filter(([id, w]) => w && (k.includes(id) || !carried.has(id))).map(([id]) => [id, data.get(id)])
            }
          );
        }
        wait = streaming ? 0 : longestWait;
      }
    }
    const withData = (id) => +[...callbacks.get(id)?.values() ?? []].some(({ data }) => data);
    const prune = (keep) => {
      for (const id of cursors.keys()) {
        if (keep.has(id)) continue;
        cursors.delete(id);
        carried.delete(id);
      }
    };
    const learn = ({ at, k, d }) => {
      const data = new Map(d);
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
          if (+cursor && (seen ? seen !== cursor : subscription.data || k.includes(id))) {
            calls.push([id, callback, subscription.data ? carried.get(id) : void 0]);
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
    const fail = (what) => {
      if (connected === false && what.seconds === failure.seconds) return;
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
      queueMicrotask(() => {
        renewing = false;
        if (lead) connection.abort();
        else hello();
      });
    };
    const say = (message) => channel?.postMessage(message);
    const report = (wishes = /* @__PURE__ */ new Map()) => {
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
    const leading = async (signal) => {
      lead = signal;
      proven = false;
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
          const error = (
            /** @type {Error} */
            mine.signal.reason ?? problem
          );
          if (signal.aborted || error.name === "AbortError") continue;
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
        lead = void 0;
        forget();
        prune(callbacks);
      }
    };
    const hello = (urgent = false) => {
      if (!channel || !candidacy) return;
      const { signal } = candidacy;
      const since = now();
      const wish = (id) => [withData(id), carried.has(id) ? cursors.get(id) : void 0];
      const ids = new Map([...callbacks.keys()].map((id) => [id, wish(id)]));
      say({ ids, wake: urgent });
      pause(doubt * (1 + Math.random()), signal).then(() => {
        if (!signal.aborted && !lead && heard < since) elect(true);
      });
    };
    const hear = ({ data: said }) => {
      if (said.ids) {
        if (!lead) return;
        for (
          const [id, [data]] of
          /** @type {Wishes} */
          said.ids
        ) others.set(id, Math.max(others.get(id) ?? 0, data));
        report(said.ids);
        if (said.wake && (due || now() - asked > 1)) wake();
        if ([...wanted()].some(([id, data]) => (asking.get(id) ?? -1) < data) || due && now() > due) connection.abort();
        return;
      }
      heard = now();
      if (lead) return onStorage();
      if (said.error) fail(said);
      if (!said.at) return;
      const lacking = learn(said);
      const reported = new Map(said.at);
      if (lacking || ![...callbacks.keys()].every((id) => reported.has(id))) hello();
    };
    const held = () => localStorage.getItem(name);
    const lease = async (signal, steal) => {
      if (!steal && held()) return;
      localStorage.setItem(name, me);
      await pause(0.1, signal);
      if (!signal.aborted && held() === me) await leading(signal);
    };
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
        if (
          /** @type {Error} */
          error.name === "AbortError"
        ) elect();
        else if (channel) withdraw();
        else throw error;
      }
    };
    const onStorage = () => {
      if (!navigator.locks && running && channel && (lead ? held() !== me : !held())) elect();
    };
    const withdraw = () => {
      leave();
      sharing = false;
      join();
    };
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
      lead = void 0;
      clearInterval(ticking);
      ticking = 0;
      channel?.close();
      channel = void 0;
      try {
        if (held() === me) localStorage.removeItem(name);
      } catch {
      }
    };
    const rest = () => running && leave();
    const rise = () => running && !ticking && join();
    const { document } = globalThis;
    globalThis.addEventListener?.("storage", onStorage);
    globalThis.addEventListener?.("online", wake);
    globalThis.addEventListener?.("offline", wake);
    globalThis.addEventListener?.("pagehide", rest);
    globalThis.addEventListener?.("pageshow", rise);
    document?.addEventListener("freeze", rest);
    document?.addEventListener("resume", rise);
    document?.addEventListener("visibilitychange", () => document.hidden || wake());
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
        const set = callbacks.get(id) ?? /* @__PURE__ */ new Map();
        if (!set.size) {
          callbacks.set(id, set);
          cursors.delete(id);
          carried.delete(id);
        }
        if (set.get(callback)?.data === data) return client;
        if (!set.size || data) renew();
        set.set(callback, { data, seen: data ? void 0 : cursors.get(id) });
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
        connected = void 0;
        leave();
        emit("close");
        return client;
      },
      on(type, listener) {
        listeners[type].push(listener);
        return client;
      },
      last: (id) => Number(cursors.get(id)) || void 0
    };
    return client;
  };

  // src/index.js
  var NovComet = createClient();
  return NovComet;
})();

// For require.
if (typeof module === "object") module.exports = { __esModule: true, NovComet, default: NovComet };
