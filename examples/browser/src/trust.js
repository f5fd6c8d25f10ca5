import { distrust } from "./limits.js";
import { load, save } from "./storage.js";
import { wall } from "./time.js";

/**
 * Remembers whether streams work, for the next page and the next leader, too. A proxy may buffer them.
 * @type {(url: string) => Trust}
 */
export const createTrust = (url) => {
  let since = 0; // when the last stream failed
  let failed = 0; // how many streams have failed since one worked
  const key = `novcomet 3 ${url} streams`;

  return {
    allows() {
      [since, failed] = load(key) ?? [since, failed];
      const age = wall() - since;
      return !(age >= 0 && age < distrust[failed]); // A failure in the future was noted by a wrong clock.
    },

    get failed() { return failed; },

    set(count) {
      failed = Math.min(count, distrust.length - 1);
      since = wall();
      try {
        save(key, [since, failed]);
      } catch { /* The page has no storage, so only this page knows. */ }
    },
  };
};

/**
 * @typedef {object} Trust
 * @property {() => boolean} allows
 * @property {number} failed
 * @property {(count: number) => void} set
 */
