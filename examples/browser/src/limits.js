// Times are in seconds. Browsers use milliseconds.
export const longestWait = 50; // of a poll; the server may be configured to wait less
export const patience = 25; // until a request has failed, in addition to its wait
export const longestPause = 30; // between two attempts
export const grace = 0.5; // until an error is reported, because browsers fail the requests of a page that is left
export const silence = 10; // until a tab sends a message to a silent leader
export const doubt = 5; // until the tab becomes the leader, plus a random time up to the same
export const asleep = 75; // after a longer pause the machine was asleep; hidden tabs have one tick a minute
export const rollCall = 300; // until the leader forgets the wishes of other tabs, and an outcast tries to share again
export const trial = 5; // how long a new stream may be silent, and must last
export const longestSilence = 45; // of a stream; the server sends a comment every 20
export const distrust = [0, 60, 600, 3600]; // until the next stream, after 0, 1, 2 and more failed streams
export const replay = 5; // how long older cursors from another tab are taken for old messages
export const regret = 1; // until an event without callbacks is given up; a framework may subscribe to it again
export const longestQuery = 2000; // characters; a longer query is sent by POST
export const longestFarewell = 65536; // bytes of all requests that may outlive their page
export const never = "0.000000"; // the cursor of an event that was never published
