// Package core is the endpoint where comet.php used to be, whatever runs it: a browser asks, the request waits until
// one of its events is published, and is answered. [Endpoint] is an http.Handler; it knows nothing of CGI, FastCGI or
// configuration files.
//
// The story, in the order to read it: an event has an [ID] and a [Stamp], the time of its last publication. A
// subscriber sends a [Cursor], what it last saw; the [Query] holds one for each event, or a publication. A [Store] keeps
// the stamps, [Files] as the mtimes of files; a [Notifier] also tells when they change, and a [Selective] store those alone
// that are waited for. A poll (poll.go) knows when it is to be answered; the loop (loop.go, round.go, listen.go) looks at the
// store for all polls at once. The [Answer] is JSON, and the Endpoint brings it all together.
//
// # The promise
//
// After every publication, every subscriber that keeps polling is answered with it or with a later one: at the latest
// after its own pause between two polls, plus one sleep (nothing with a Notifier), plus 2 s for a whole-second poll (more
// where a client's clock or a file's time is ahead: 3 s for a clock 2 s ahead, 6 s for a file 5 s ahead). An event is a state
// ("changed at S"), not a log: several publications may become one answer, none may be missed.
//
// What it rests on:
//   - A poll is in the loop before the store is looked at; no publication can fall between.
//   - Stamps are strictly later, also when many processes publish the same event, and set by the store's own clock.
//   - A precise poll is answered when the stamp differs from its cursor: no order, no clock of the client's.
//   - A whole-second poll is answered when the stamp's second is later than its T, when the stamp changed while it waited,
//     or when its T is so far ahead that the client's clock must be wrong. And no whole-second answer goes before the
//     seconds are over that its client will send back: a publication in the rest of such a second would never be seen.
//
// # What it cannot do
//
//   - A whole-second client whose clock is ahead can miss a publication until its first answer: one in the pause between
//     two of its polls in which the server's clock reaches its T.
//   - If the server's clock is set back, whole-second clients may miss what is published until it is where it was.
//   - A whole-second client that pauses for more than 3 s, or whose answer a process gives that is about to end, can miss a
//     publication after a file was touched some seconds into the future.
//   - Two changes of a file by other programs that get the same stamp are one publication.
package core
