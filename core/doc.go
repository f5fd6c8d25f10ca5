// Package core is NovComet's protocol as an http.Handler, the [Endpoint]. A client asks for events. Its
// request waits until one of them is published, and is then answered. README.md describes the requests and
// the answers.
//
// Package event has the values. access decides who may do what, and hub when a request is answered. store is
// the contract of stores; metrics has the counters. core and these packages know nothing of CGI, FastCGI or
// settings files.
//
// # Words
//
//   - event, id: what is watched. An event is a state ("changed at S"), not a log.
//   - stamp: when an event was last published, in microseconds by the store's clock.
//   - publish: set the event's stamp, with or without data. Data is what the event carries.
//   - client, subscriber: the program that asks. A subscription is an id with its cursor, which is what the
//     client last saw of the event.
//   - poll: a request that is answered once. A stream is answered until it ends (Server-Sent Events).
//   - format: what the messages of a stream contain: an answer (native), raw data, or a Turbo Stream.
//   - legacy poll: one of comet.php's protocol, in whole seconds (T). A precise poll uses microseconds.
//   - tries: how often a poll is checked. sleep: the pause between two checks. wait: tries × sleep.
//   - store: where stamps are kept. To check it is to read stamps; to watch it is to be notified of changes.
//   - hub: where all waiting requests of a process are registered. A batch is the events and requests of one
//     check.
//   - hold an answer: keep it back until no later publication can have the same second or stamp. Release it:
//     send it.
//   - park: let a request wait without a goroutine. Resume: go on with it. Abort: end it because its client
//     has gone. The reactor of comet-fcgi is the epoll loop that holds parked requests.
//   - location: a URL of the web server, with settings of its own.
//   - drain: answer all requests before the process ends.
//
// # The promise
//
// After each publication, every client that keeps polling gets an answer with that publication, or with a
// later one of the same event. Several publications can become one answer; none is missed. The answer arrives
// at the latest after the sum of
//   - the client's own pause between two polls;
//   - one sleep, or nothing if the store is watched;
//   - for a legacy poll, 2 s; up to 4 s if the client's clock is ahead, up to 8 s if the time of a file is.
//
// # Why it holds
//
//   - A request is registered before the store is checked. No publication can fall between the two.
//   - The store's own clock sets stamps, and each stamp of an event is later than the one before.
//   - A precise poll is answered when the stamp differs from its cursor. Clocks and order do not matter.
//   - A legacy poll is answered when the second of the stamp is later than T, when the stamp changed during
//     the poll, or when T is so far ahead that the client's clock must be wrong.
//   - A legacy answer is held until the seconds have ended that the client will send back. Otherwise, a
//     publication in the rest of such a second would never be delivered.
//   - A stream is a client within the process that polls precisely. A format changes neither which events
//     it gets nor the id from which it is resumed.
//   - Data is read after its stamp was chosen for an answer. So it belongs to that publication or to a later
//     one.
//
// # Exceptions
//
// A publication can be missed in these cases. README.md ("Guarantees") states each exactly.
//   - A legacy client's clock is ahead, until its first answer about the event.
//   - The server's clock is set back: legacy polls, and any poll that is first checked at that moment.
//   - The store cannot be reached: legacy clients, and clients without a cursor.
//   - Another program sets the time of a file ahead of the clock: legacy clients, and any poll that is first
//     checked at that moment.
//   - Another program changes a file twice within one stamp. Both changes are one publication.
//   - Another program renames an older file over the event's: legacy clients.
package core
