// Package soak tries for a while whether anything is missed. Pages of both kinds poll the real endpoint behind a real web
// server, real processes publish at random, and meanwhile the web server is reloaded and comet-fcgi restarted. Afterwards
// each page is asked of each publication: was it told of it, or of a later one, and in time?
//
// In the order to read it: soak.go (the run), record.go (what has happened in it), publisher.go (what is published, and how its true stamp is known), page.go with
// wholesecond.go and precise.go (who polls), disturber.go (what goes wrong meanwhile), bound.go (how late an answer may
// be), judge.go (the verdict), report.go.
package soak
