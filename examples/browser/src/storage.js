/** Returns a value that all tabs share, undefined if the page has no storage. @type {(key: string) => any} */
export const load = (key) => {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null");
  } catch {
    return undefined;
  }
};

/** Throws if the page has no storage. @type {(key: string, value: unknown) => void} */
export const save = (key, value) => localStorage.setItem(key, JSON.stringify(value));
