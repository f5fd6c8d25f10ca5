// now is a clock that nobody sets. It may stop while the machine sleeps.
export const now = () => performance.now() / 1000;

// wall is the visitor's clock. It may be wrong, and may be set.
export const wall = () => Date.now() / 1000;

/** Waits, at most until the signal. @type {(seconds: number, signal: AbortSignal) => Promise<void>} */
export const pause = (seconds, signal) => new Promise((resolve) => {
  const end = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    resolve();
  };
  const timer = setTimeout(end, signal.aborted ? 0 : seconds * 1000);
  signal.addEventListener("abort", end);
});

/** Reports an error of the page in the console. @type {(error: unknown) => void} */
export const reportError = (error) => { setTimeout(() => { throw error; }); };

/**
 * Calls a function of the page. Its exception does not disturb others.
 * @type {(function_: () => void) => void}
 */
export const call = (function_) => {
  try {
    function_();
  } catch (error) {
    reportError(error);
  }
};
