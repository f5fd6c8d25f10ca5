/** When events were last published: the id of each that changed, and the second (Unix time, the server's clock). */
export type Seconds = Record<string, number>;

/**
 * Is called when one of this page's events was published; k has all of them that the same answer told of. data is what the event
 * carries, if that was asked for: a JSON value, or a string if it is other text; undefined where there is none. It is the visitor's
 * word, not yours, where visitors may publish: show it as text (textContent), never as HTML.
 */
export type Callback<Data = any> = (k: Seconds, data?: Data) => void;

/** All methods but publish and last return the client itself, so that calls can be chained. */
export interface Client {
  /**
   * Sets the URL of the endpoint; relative to the page, "comet.php" unless set. While running, it takes effect at once.
   * stream: false never opens a stream, but polls; unless set, a stream is used where one works. Where one did not work, the next
   * one is tried after a minute, then after ten, then after an hour each time.
   */
  init(url?: string, options?: { stream?: boolean }): Client;

  /**
   * From now on calls the callback when the event was published. "Now" is when the server first answers, or, while stopped, the next run.
   * An event may have several callbacks; the same function counts once.
   *
   * With data: true it gets what the event carries, too. Such a callback is for a page that shows a state: it is also called once at its
   * start if the event was ever published, with the data of that time. The latest data wins; no state in between is promised.
   * @param id 1 to 200 bytes of UTF-8 without "/", "]" and control characters, not starting with a dot; at most 1,000 of them.
   */
  subscribe<Data = any>(id: string, callback: Callback<Data>, options?: { data?: boolean }): Client;

  /** Takes the callback away, or without one all callbacks of the event. */
  unsubscribe(id: string, callback?: Callback): Client;

  /**
   * Publishes the event to all its subscribers, this page included. With data, any value that JSON.stringify takes, it carries that
   * from now on; without, it keeps what it carried. Rejects with an Error that says why it could not.
   */
  publish(id: string, data?: unknown): Promise<true>;

  /** Starts to follow the events subscribed to. A second run changes nothing. */
  run(): Client;

  /** Stops to follow. What is published meanwhile is told after the next run. */
  stop(): Client;

  /** open: the server answers, at first or again. close: stop was called. */
  on(type: "open" | "close", listener: () => void): Client;

  /** error: the server cannot be reached, or answers something else. It is asked again in the given seconds, for as long as it takes. */
  on(type: "error", listener: (error: Error, seconds: number) => void): Client;

  /**
   * When an event subscribed to was last published, as far as the page was told: Unix time in seconds, to the microsecond, by the
   * server's clock. Undefined before the first answer, and for an event never published.
   */
  last(id: string): number | undefined;
}

declare const NovComet: Client;
export { NovComet as default, NovComet };

declare global {
  /** Where novcomet.js is loaded by a plain script tag. */
  const NovComet: Client;
}
