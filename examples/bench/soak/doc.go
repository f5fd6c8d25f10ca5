// Package soak finds out whether a publication is missed. Legacy and precise pages poll through a real web
// server, other processes publish at random, and meanwhile the web server is reloaded and comet-fcgi is
// restarted. Afterwards a judge asks for each page and each publication of its events: did the page get it,
// or a later one, in time?
//
// soak.go has the run, publisher.go what is published, page.go, legacy.go and precise.go who polls, judge.go
// the verdict, report.go what is printed.
package soak
