import { patience, silence } from "./limits.js";
import { now, pause, reportError } from "./time.js";

/** Keeps the token of a page in memory. It is never stored. */
export const createTokens = () => {
  /** @type {import("../novcomet.mjs").Token | undefined} */
  let source;
  /** @type {string | string[] | undefined} */
  let value;
  /** @type {Promise<void> | undefined} */
  let loading;
  let next = 0; // when a refused token may be renewed; a wrong function must not cause request after request

  // Calls the page's function. If it fails, the server's answer says that a token is missing.
  const load = () => loading ??= (async () => {
    const from = source;
    let loaded;
    try {
      if (typeof from === "function") {
        loaded = await Promise.race([from(), pause(patience, new AbortController().signal)]);
      }
    } catch (error) {
      reportError(error);
    }
    if (source !== from) return; // The page has set another token meanwhile.
    value = loaded || value;
    loading = undefined;
  })();

  return {
    /** @type {(to: import("../novcomet.mjs").Token | undefined) => void} */
    set(to) {
      source = to;
      value = typeof to === "function" ? undefined : to;
      loading = undefined;
    },

    source: () => source,

    /** What the page wants of the server (wishes.js). */
    wish: () => /** @type {string[]} */ ([]).concat(value || []).map((token) => `t${token}`),

    /** Waits for the first token. */
    first: () => value || load(),

    /**
     * Gets another token, if the server refused the last one.
     * @type {(reason: string) => Promise<boolean>}
     */
    async renew(reason) {
      const before = `${value}`;
      if (reason.includes("token") && (loading || now() > next)) {
        next = now() + silence;
        await load();
      }
      return `${value}` !== before;
    },
  };
};
