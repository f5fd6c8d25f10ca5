// Package core is the endpoint where comet.php used to be, whatever runs it: a browser asks, the request waits until
// one of its events is published, and is answered. [Endpoint] is an http.Handler; it knows nothing of CGI, FastCGI or
// configuration files.
//
// The story, in the order to read it: an event has an [ID] and a [Stamp], the time of its last publication. A
// subscriber sends a [Cursor], what it last saw; the [Query] holds one for each event, or a publication. A [Store] keeps
// the stamps, [Files] as the mtimes of files; a [Notifier] also tells when they change, and a [Selective] store those alone
// that are waited for; a [Carrier] has data with them. A poll (poll.go) knows when it is to be answered; the loop (loop.go,
// round.go, carry.go, listen.go) looks at the store for all polls at once. [Access] says who may do what: [Patterns] of ids,
// [Origins] of pages, [Signed] subscriptions, a [Rate]. The [Answer] is JSON, a [Stream] is many of them, and the Endpoint brings it all together.
//
// # The promise
//
// After every publication, every subscriber that keeps polling is answered with it or with a later one: at the latest
// after its own pause between two polls, plus one sleep (nothing with a Notifier), plus 2 s for a whole-second poll (more
// where a client's clock or a file's time is ahead: up to 4 s for a clock 3 s ahead, up to 8 s for a file). An event is a state
// ("changed at S"), not a log: several publications may become one answer, none may be missed.
//
// What it rests on:
//   - A poll is in the loop before the store is looked at; no publication can fall between.
//   - Stamps are strictly later, also when many processes publish the same event, and set by the store's own clock.
//   - A precise poll is answered when the stamp differs from its cursor: no order, no clock of the client's.
//   - A whole-second poll is answered when the stamp's second is later than its T, when the stamp changed while it waited,
//     or when its T is so far ahead that the client's clock must be wrong. And no whole-second answer goes before the
//     seconds are over that its client will send back: a publication in the rest of such a second would never be seen.
//   - A stream is a subscriber that polls precisely, within the process.
//   - Data is read when it is known that the stamp is to be told, so it is of that publication or of a later one.
//
// # What it cannot do
//
//   - A whole-second client whose clock is ahead can miss, until its first answer about that event, what is published in the
//     pause between two of its polls in which the server's clock comes within 2 s of its T, and a file that is set ahead to
//     the very second of its T.
//   - If the server's clock is set back, whole-second clients may miss what was not answered by then, and what is published
//     until the second in which it was set back is over again. A poll that is looked at for the first time just then may
//     take for old what came meanwhile, or gets the same stamp.
//   - If the store is gone from a publication on until a whole-second answer goes, and the publication was in the second that
//     the client sends back, or before it, nobody can know that it was not seen. A client whose clock is far ahead is told
//     nothing that is more than 5 s old when its poll comes. And one that has no cursor so far ("now") begins with its next poll.
//   - Where a file is set ahead of the clock: a whole-second client that pauses for more than 3 s, less what a look takes, or
//     whose answer a process gives that is about to end, or whose own clock is ahead as well so that its answer would have to be
//     held for more than 8 s, can miss what is published until that time has come. What is set to a second more than 5 s ahead,
//     and was in that second before, is nothing new to it; nor is what is set, between two of its polls, to a second that was
//     more than 5 s ahead when it was told of it. And what is set ahead while a poll is looked at for the first time was there
//     before.
//   - Two changes of a file by other programs that get the same stamp are one publication. So it may be where a file that was
//     written in the same 10 ms as the event's, or before, is renamed over it, and with what is done to it in these 10 ms.
//   - A file that another program renames over the event's brings the time at which it was written. If that was in a second that
//     has been answered by then, a whole-second client does not hear of it, unless it is touched in its new place.
package core
