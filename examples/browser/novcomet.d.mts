/** The changed events: id → time of the last publication, in Unix seconds by the server's clock. */
export type Seconds = Record<string, number>;

/**
 * A callback is called when its event was published. It gets values of its own. k has all changed events of
 * the same answer to which the page subscribes. data is the data of the event, for a subscription with data:
 * a JSON value, or a string if the text is not JSON, or undefined if the event has no data. If visitors may
 * publish, data is untrusted: show it as text (textContent), never as HTML.
 */
export type Callback<Data = any> = (k: Seconds, data?: Data) => void;

/** A token for events that need one, or several, or a function that gets one from the page's application. */
export type Token = string | string[] | (() => string | Promise<string>);

export interface Options {
  /**
   * With false the client never opens a stream, but polls. Otherwise it uses a stream where one works. After
   * a stream that did not work, it polls, and tries the next one after a minute, then after ten minutes, then
   * every hour.
   */
  stream?: boolean;
  /**
   * A function is called before the first request, and again when the server refuses the token, for example
   * because it has expired. The token stays in memory, and is sent to the server in the body of a request.
   */
  token?: Token;
}

export interface SubscribeOptions {
  /** Whether the callback gets the data of the event. */
  data?: boolean;
  /** Aborting it removes the callback. */
  signal?: AbortSignal;
}

export interface Client {
  /**
   * Sets the URL of the endpoint, relative to the page as it is now. The default is "comet.php". While the
   * client runs, a change takes effect at once. With the same URL, for example with a new token, nothing is
   * missed. All subscriptions move to another URL, and begin there anew.
   */
  init(url?: string | URL, options?: Options): Client;

  /**
   * Calls the callback for each publication from now on. "Now" is the first answer of the server, or for a
   * stopped client the next run. An event may have several callbacks. The same function is called once. If
   * the page unsubscribes and subscribes again within a second, nothing is missed in between.
   *
   * With data: true the callback also gets the data of the event. It is for a page that shows a state: if the
   * event was ever published, the callback is first called with the last data. The latest data always
   * arrives, but earlier data may be skipped.
   * @param id 1 to 200 bytes of UTF-8 without "/", "]" and control characters. It does not begin with a dot.
   * A page may subscribe to at most 1,000 events.
   */
  subscribe<Data = any>(id: string | number, callback: Callback<Data>, options?: SubscribeOptions): Client;

  /** Removes the callback, or without one all callbacks of the event. */
  unsubscribe(id: string | number, callback?: Callback): Client;

  /**
   * Publishes the event to all its subscribers, including this page. data is any value that JSON.stringify
   * accepts, and becomes the data of the event. Without it, the event keeps its data. If the publication
   * fails, the promise is rejected with an Error that gives the reason. A publication also arrives if the
   * page is left at once, unless all in progress have more than 64 KiB; each counts for 1 KiB and its data.
   */
  publish(id: string | number, data?: unknown): Promise<true>;

  /** Starts the client. If it runs, run has no effect. */
  run(): Client;

  /** Stops the client. The next run delivers what was published meanwhile. */
  stop(): Client;

  /**
   * Calls the listener for each event of this type, and returns a function that removes it. open: the server
   * answers, for the first time or again. close: stop was called.
   */
  on(type: "open" | "close", listener: () => void): () => void;

  /** error: no answer, or an error. The client tries again in that many seconds, until the server answers. */
  on(type: "error", listener: (error: Error, seconds: number) => void): () => void;

  /** Whether the client runs, and the server has answered the last request. */
  readonly connected: boolean;

  /**
   * Returns when the event was last published, as far as the page knows: Unix time in seconds, with
   * microseconds, by the server's clock. It is undefined before the first answer, and for an event that was
   * never published.
   */
  last(id: string | number): number | undefined;

  /** Returns a new client, with subscriptions and listeners of its own, for example for another endpoint. */
  client(url?: string | URL, options?: Options): Client;
}

declare const NovComet: Client;
export { NovComet as default, NovComet };
