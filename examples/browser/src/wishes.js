// A wish is what a tab wants of the server, as strings: "0" and an id, "1" and an id for its data (besides
// "0"), "t" and a token.

/**
 * Returns the parts of a kind, without the kind.
 * @type {(wish: Iterable<string>, kind: string) => string[]}
 */
export const parts = (wish, kind) => [...wish].flatMap((part) => part[0] === kind ? part.slice(1) : []);

/** @type {(wish: string[], all: Set<string>) => boolean} */
const isIn = (wish, all) => wish.every((part) => all.has(part));

/**
 * Keeps the wishes of all tabs, while this tab leads. The server refuses a request as a whole. Then the
 * leader adds one tab at a time to what the server has accepted. The tab whose wish is refused is guilty.
 */
export const createWishes = () => {
  /** @type {Map<string, string[]>} */
  const tabs = new Map();
  /** @type {[string, string[]][]} */
  let chosen = []; // the tabs of the current request
  /** @type {Set<string>} */
  let asked = new Set(); // the wishes of the current request
  /** @type {Set<string>} */
  let accepted = new Set(); // what the server has answered
  let cautious = false; // whether one tab is added at a time

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
      // What was accepted before may have expired.
      const suspects = cautious ? chosen.filter(([, wish]) => isPending(wish)) : chosen;
      if (suspects.length === 1) {
        const [[tab, wish]] = suspects;
        return tabs.get(tab) === wish && tabs.delete(tab) ? tab : undefined;
      }
      accepted = new Set();
      cautious = true;
      return undefined;
    },
  };
};
