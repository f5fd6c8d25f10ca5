import { never, regret, replay } from "./limits.js";
import { call, now } from "./time.js";

/** @typedef {import("../novcomet.mjs").Callback} Callback */
/** @typedef {import("./answer.js").Answer} Answer */

/**
 * Keeps what a page subscribes to, and what it knows of these events.
 * @param {() => void} dropped is called when an event has no callback any more
 */
export const createEvents = (dropped) => {
  // seen is the cursor of the last call, or of the beginning. data is undefined after the page has removed
  // the callback.
  /** @typedef {{ id: string, callback: Callback, data?: boolean, seen?: string }} Subscription */
  /** @type {Map<string, Map<Callback, Subscription>>} */
  const callbacks = new Map();
  /** @type {Map<string, string>} */
  const cursors = new Map(); // id → the last stamp, as the server writes it
  /** @type {Map<string, string | undefined>} */
  const texts = new Map(); // id → the data of this cursor, undefined if it has none; missing if it is unknown
  /** @type {Set<string>} */
  let wanted = new Set(); // the wishes of all tabs, while this tab leads
  let since = 0; // when other tabs began to report older cursors, or 0

  /** @type {(id: string) => boolean} */
  const withData = (id) => [...callbacks.get(id) ?? []].some(([, { data }]) => data);

  /** @type {() => Subscription[]} */
  const all = () => [...callbacks.values()].flatMap((set) => [...set.values()]);

  // Reports whether the callback has to be called.
  /** @type {(subscription: Subscription) => unknown} */
  const isDue = ({ id, data, seen }) =>
    seen && seen !== cursors.get(id) && Number(cursors.get(id)) && data !== undefined;

  // Cursors of events that no tab wants become stale.
  const prune = () => {
    for (const id of cursors.keys()) {
      if (!callbacks.has(id) && !wanted.has(`0${id}`)) {
        cursors.delete(id);
        texts.delete(id);
      }
    }
  };

  return {
    cursors,
    texts,

    /** What the page wants of the server. */
    wish: () => [...callbacks.keys()].flatMap((id) => [`0${id}`].concat(withData(id) ? `1${id}` : [])),

    /**
     * Returns whether the subscription is new.
     * @type {(id: string, callback: Callback, data: boolean) => boolean}
     */
    subscribe(id, callback, data) {
      const set = callbacks.get(id) ?? new Map();
      callbacks.set(id, set);
      if (set.get(callback)?.data === data) return false;
      // The callback may replace one that the page has just removed, so it begins where that one ended.
      const removed = [...set.values()].find((subscription) => subscription.data === undefined);
      set.set(callback, { id, callback, data, seen: data ? undefined : removed?.seen ?? cursors.get(id) });
      return true;
    },

    // A framework may soon subscribe again. Until then the event goes on, and the removed callback keeps its
    // cursor for the next one, so that nothing is missed.
    /** @type {(id: string, callback?: Callback) => void} */
    unsubscribe(id, callback) {
      const set = callbacks.get(id);
      for (const [key, subscription] of set ?? []) {
        if (callback && callback !== key) continue;
        subscription.data = undefined;
        setTimeout(() => {
          if (set?.get(key) !== subscription) return; // The page has subscribed again.
          set.delete(key);
          if (set.size) return;
          callbacks.delete(id);
          prune();
          dropped();
        }, regret * 1000);
      }
    },

    /** Begins anew, with another server. */
    restart() {
      cursors.clear();
      texts.clear();
      for (const subscription of all()) delete subscription.seen;
    },

    /** Sets the wishes of all tabs. @type {(wishes?: Set<string>) => void} */
    want(wishes = new Set()) {
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
        // A cursor has seconds. It is 0 if the event was never published, or was removed.
        const known = cursors.get(id);
        if (+cursor && Number(known) > +cursor) {
          older = since || now();
          if (!direct && now() - older < replay) continue;
        }
        if (data.has(id)) texts.set(id, data.get(id));
        else if (withData(id) && !(known === cursor && texts.has(id))) {
          lacking = true;
          continue;
        } else if (known !== cursor) texts.delete(id);
        cursors.set(id, cursor);
        for (const [, subscription] of mine ?? []) {
          // A subscription with data begins with the last data.
          subscription.seen ??= +cursor && (subscription.data || k.includes(id)) ? never : cursor;
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
        // Another callback may have removed this one, or called init with another URL.
        if (!isDue(subscription) || !isRunning()) continue;
        const { id, callback, data } = subscription;
        subscription.seen = cursors.get(id);
        const text = data ? texts.get(id) : undefined;
        call(() => callback(Object.fromEntries(seconds), text && JSON.parse(text)));
      }
    },
  };
};
