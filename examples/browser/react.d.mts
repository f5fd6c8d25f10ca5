import type { Client } from "./novcomet.mjs";

/** The last data of an event, and when it was published, in Unix seconds. Both are undefined at first. */
export interface EventState<Data> {
  data: Data | undefined;
  last: number | undefined;
}

/**
 * Returns the state of an event, and renders the component again when it is published. It subscribes while
 * the component is mounted, and runs the client. With data: false it does not get the data.
 */
export function useNovComet<Data = any>(
  id: string, options?: { data?: boolean; client?: Client },
): EventState<Data>;
