import { load, save } from "./storage.js";
import { pause } from "./time.js";

// With Web Locks (https, localhost) the tab that has the lock leads. When a tab ends, the browser gives the
// lock to another one. Without Web Locks the tab whose name is in localStorage leads. It removes its name
// when it leaves, and the other tabs get a storage event.

/**
 * Waits until this tab leads, and calls lead. It throws an AbortError if another tab has taken the lead, and
 * another error if the browser refuses the lock or the storage.
 * @type {(name: string, me: string, signal: AbortSignal, steal: boolean | undefined,
 * lead: () => Promise<void>) => Promise<void>}
 */
export const elect = async (name, me, signal, steal, lead) => {
  if (navigator.locks) {
    await navigator.locks.request(name, steal ? { steal } : { signal }, lead);
  } else if (steal || !load(name)) {
    save(name, me);
    await pause(0.1, signal); // another tab may write at the same moment; the last one leads
    if (!signal.aborted && load(name) === me) await lead();
  }
};

/**
 * Reports whether a tab without Web Locks has to take part in an election.
 * @type {(name: string, me: string, leads: boolean) => boolean}
 */
export const isOpen = (name, me, leads) => !navigator.locks && (leads ? load(name) !== me : !load(name));

/** @type {(name: string, me: string) => void} */
export const resign = (name, me) => {
  if (load(name) === me) localStorage.removeItem(name);
};
