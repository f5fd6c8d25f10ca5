// This folder is the source of novcomet.js and novcomet.mjs: npm run --prefix examples/e2e/npm build
//
// An event is a state ("changed at"), not a list of messages. Several publications in quick succession may
// arrive as one call. The last publication always arrives, also after an outage of the server or the network.
//
// # One connection for all tabs
//
// A browser opens at most six connections to a server. Therefore all tabs with the same endpoint share one
// request (tab.js). One tab, the leader (election.js), requests the events of all tabs (leader.js). The
// others receive its messages on a BroadcastChannel. A tab that has received no message for some time sends
// one. If the leader does not answer, the tab becomes the leader.
//
// The messages:
//   - {tab, wish, has, wake}: what the tab wants (wishes.js), and id → cursor of the data that it has. wake:
//     the leader should send a request to the server now. The leader answers with what it knows, and requests
//     from the server what it does not know. An empty wish: the tab leaves.
//   - {at, k, d}: the leader has an answer of the server. at has the cursor of each requested event, k the
//     events that the server reported as changed, d the data, as JSON text, of events whose data is wanted
//     and new. If an event of a tab is missing, or the data for a new cursor, the tab sends its wish again.
//     So the leader forgets the wishes of other tabs with the first answer after five minutes: a tab may have
//     ended without a message.
//   - {error, seconds}: there is no connection. The next attempt is in that many seconds.
//   - {out, error}: the server refuses the wish of this tab, which then works alone.
//   - {}: the sender leads, but has no answer of the server yet.
//
// No tab misses an event: each tab keeps its own cursors and compares them with the received ones
// (events.js). So it does not matter which tab leads, since when, or which messages a sleeping tab missed.
// Two leaders cost a request, not an event.
//
// # A stream, or polls
//
// The leader first sends a poll that does not wait. The answer has the cursors, or an error. With these
// cursors the leader opens a stream (Server-Sent Events). When the stream ends, the leader begins again with
// a poll. If a stream does not work, because a proxy buffers it or there are too many streams, the leader
// polls (trust.js). The leader reads the stream with fetch: EventSource cannot send long lists of events by
// POST, and does not show that a stream is silent.

import { createClient } from "./client.js";

const NovComet = createClient();

export { NovComet, NovComet as default };
