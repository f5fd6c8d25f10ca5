// A hook of React for the state of an event: const { data, last } = useNovComet("news");

import { useMemo, useSyncExternalStore } from "react";
import { NovComet } from "./novcomet.mjs";

const nothing = { data: undefined, last: undefined };

/** @type {typeof import("./react.mjs").useNovComet} */
export const useNovComet = (id, { data = true, client = NovComet } = {}) => {
  const { subscribe, get } = useMemo(() => {
    /** @type {import("./react.mjs").EventState<any>} */
    let state = nothing; // React compares it by identity.
    return {
      get: () => state,
      subscribe: (/** @type {() => void} */ changed) => {
        /** @type {import("./novcomet.mjs").Callback} */
        const callback = (_, value) => {
          state = { data: value, last: client.last(id) };
          changed();
        };
        client.subscribe(id, callback, { data }).run();
        return () => { client.unsubscribe(id, callback); };
      },
    };
  }, [client, id, data]);
  return useSyncExternalStore(subscribe, get, () => nothing);
};
