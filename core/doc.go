// Package core is NovComet's protocol as an http.Handler, the [Endpoint]. A browser asks for events, the request waits until
// one of them is published, and is then answered. The package knows nothing of CGI, FastCGI or settings files.
//
// # Words
//
// An event has an [ID], a [Stamp], which is the time of its last publication, and perhaps data. To publish is to set the
// stamp. An event is a state ("changed at S"), not a log.
//
// A [Store] keeps the stamps; [Files] keeps them as the modification times of files. A [Notifier] also notifies of
// changes, a [Selective] store only of events that somebody waits for. A [Carrier] keeps data, too. To check the store is
// to read the stamps of all events that are waited for.
//
// A subscription is an ID and a [Cursor], what the client last saw of the event. A [Query] holds the subscriptions of a
// poll, or a publication. A legacy poll has comet.php's cursors, in whole seconds (T); a precise poll has cursors in
// microseconds. Each is answered once, with an [Answer]. A [Stream] is answered until it ends. [Access] says who may do
// what: [Patterns] of ids, [Origins] of pages, [Signed] subscriptions, a [Rate].
//
// # The promise
//
// After each publication, every subscriber that keeps polling gets an answer with that publication, or with a later one of
// the same event. Several publications may become one answer; none is missed. The answer comes at the latest after the sum of
//   - the subscriber's own pause between two polls;
//   - one sleep, the pause between two checks; nothing, if the store is a Notifier;
//   - 2 s for a legacy poll; up to 4 s, if the client's clock is 3 s ahead; up to 8 s, if the time of a file is ahead.
//
// # Why it holds
//
//   - A poll is registered before the store is checked. No publication can fall between the two.
//   - Each stamp is later than the one before, also when many processes publish the same event. The store's own clock
//     sets it.
//   - A precise poll is answered when the stamp differs from its cursor. No order of stamps and no clock of the client
//     matters.
//   - A legacy poll is answered when the second of the stamp is later than its T, when the stamp changed while it waited, or
//     when its T is so far ahead that the client's clock must be wrong.
//   - A legacy answer is held until the seconds that its client will send back are over. A publication in the rest of such
//     a second would never be reported.
//   - A stream is a subscriber that polls precisely, within the process.
//   - Data is read after it is decided that a stamp will be reported. So it belongs to that publication or to a later one.
//
// # Exceptions
//
// A publication can be missed in these cases; README.md ("Guarantees") states each exactly:
//   - A legacy client's clock is ahead, until its first answer about the event.
//   - The server's clock is set back: legacy clients, and any poll that is checked for the first time at that moment.
//   - The store cannot be reached from a publication until a legacy answer is sent, or while a client has no cursor so far.
//   - Another program sets a file's time ahead of the clock: legacy clients that pause for more than 3 s, that a process
//     answers which is about to end, or whose own clock is ahead as well; times more than 5 s ahead; and any poll that
//     is checked for the first time just then.
//   - Other programs change a file twice within the same stamp. Both changes are one publication.
//   - Another program renames a file over the event's: it brings the time at which it was written. A legacy client may have
//     got an answer for that second already.
package core
