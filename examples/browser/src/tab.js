import { elect, isOpen, resign } from "./election.js";
import { createLeader } from "./leader.js";
import { asleep, doubt, silence } from "./limits.js";
import { now, pause, wall } from "./time.js";

/**
 * What a tab works for.
 * @typedef {object} Page
 * @property {string} url of the endpoint
 * @property {boolean} stream whether the page allows streams
 * @property {ReturnType<typeof import("./events.js").createEvents>} events
 * @property {ReturnType<typeof import("./token.js").createTokens>} tokens
 * @property {import("./trust.js").Trust} trust
 * @property {{ error?: string, seconds?: number }} [failure] why there is no connection; empty before the
 * first answer, undefined while there is one
 * @property {() => string[]} wish what the page wants of the server (wishes.js)
 * @property {(answer: import("./answer.js").Answer, direct?: boolean) => boolean} learn applies an answer, of
 * the server itself or of another tab, and returns whether it lacks an event that the page wants, or its data
 * @property {(failure: { error?: string, seconds?: number }) => void} fail reports an error
 */

/** @typedef {{ tab: string, wish: string[], has: Map<string, string>, wake: boolean }} Hello */

/** Shares a connection with other tabs of the browser, or works alone. @param {Page} page */
export const createTab = (page) => {
  const { events, tokens } = page;
  const me = `${Math.random()}`;
  let name = ""; // of the channel and the lock
  /** @type {BroadcastChannel | undefined} */
  let channel; // undefined while this tab works alone
  /** @type {AbortController | undefined} */
  let candidacy; // aborted when this tab leaves, or no longer leads
  /** @type {ReturnType<typeof createLeader> | undefined} */
  let leader; // while this tab leads
  let excluded = false; // whether this tab works alone because its wish was refused
  let lastMessage = 0; // when the last message of the leader arrived
  let ticking = 0; // the timer of a tab that has joined, or 0
  let ticked = 0; // when it fired last, by the visitor's clock

  // A message that cannot be sent must not end a request. A tab that receives nothing for a while says hello.
  /** @type {(message: object) => void} */
  const send = (message) => {
    try {
      channel?.postMessage(message);
    } catch { /* The channel is closed. */ }
  };

  const hello = (wake = false) => {
    if (!channel || !candidacy) return;
    const { signal } = candidacy;
    const since = now();
    send({
      tab: me,
      wish: page.wish(),
      wake,
      has: new Map([...events.cursors].filter(([id]) => events.texts.has(id))),
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
    queueMicrotask(() => { // after all subscriptions of the same script
      renewing = false;
      if (leader) leader.renew();
      else hello();
    });
  };

  /**
   * The server refuses the wish of this tab. The others must not notice.
   * @type {(reason: string) => Promise<void>}
   */
  const refused = async (reason) => {
    const before = candidacy;
    renewing = true; // It would be refused again.
    const renewed = await tokens.renew(reason);
    renewing = false;
    if (renewed || !channel || candidacy !== before) return renew();
    rejoin(false);
    excluded = true;
  };

  /** @type {(event: MessageEvent) => void} */
  const receive = ({ data: message }) => {
    // A tab that leaves resigns first, so the lead may be free.
    if (message.wish) return leader ? leader.accept(message) : checkLead();
    lastMessage = now();
    if (leader) return checkLead(); // another tab leads
    if (message.out === me) refused(message.error);
    if (message.error && !message.out) page.fail(message);
    if (message.at && page.learn(message)) renew();
  };

  /** @type {(signal: AbortSignal) => Promise<void>} */
  const leading = async (signal) => {
    if (signal.aborted) return; // Browsers grant a stolen lock although the tab has left.
    const mine = leader = createLeader(page, me, signal, send, channel && refused, excluded && rejoin);
    await mine.lead();
    if (leader === mine) abdicate();
  };

  const abdicate = () => {
    leader = undefined;
    events.want();
  };

  /** @type {(steal?: boolean) => Promise<void>} */
  const campaign = async (steal) => {
    candidacy?.abort();
    const { signal } = candidacy = new AbortController();
    try {
      await (channel ? elect(name, me, signal, steal, () => leading(signal)) : leading(signal));
    } catch (error) {
      if (signal.aborted) return;
      if (/** @type {Error} */ (error).name === "AbortError") return campaign(); // another tab has stolen the lock
      rejoin(false); // The browser refuses the lock or the storage, so this tab works alone.
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
      } catch { /* The browser has no channels, or refuses them, so this tab works alone. */ }
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

  // Returns whether this tab had joined.
  const leave = () => {
    if (!ticking) return false;
    resign(name, me);
    send({ tab: me, wish: [] });
    excluded = false;
    candidacy?.abort();
    candidacy = undefined;
    abdicate();
    clearInterval(ticking);
    ticking = 0;
    channel?.close();
    channel = undefined;
    return true;
  };

  const rejoin = (sharing = true) => {
    if (leave()) join(sharing); // A callback may have called stop.
  };

  // A suspended page could not lead. Browsers do not suspend a page that has a request or a lock.
  const reactions = {
    storage: checkLead,
    online: wake,
    offline: wake, // A waiting request may not notice.
    pagehide: leave,
    freeze: leave,
    pageshow: () => join(),
    resume: () => join(),
    visibilitychange: () => { if (!document.hidden) wake(); },
  };

  return {
    renew,
    join,
    leave,

    /** Joins, and reacts to the browser until the signal. @type {(signal: AbortSignal) => void} */
    start(signal) {
      for (const [type, listener] of Object.entries(reactions)) {
        globalThis.addEventListener?.(type, listener, { signal, capture: true }); // some are events of the document
      }
      join();
    },
  };
};
