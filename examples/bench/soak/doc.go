// Package soak finds out whether a publication is missed. Pages poll through a real web server, other
// processes publish at random, and meanwhile servers restart, or break. Two judges read the history
// afterwards, and ask for each page and each publication of its events: did the page get it, or a later one,
// in time?
//
// soak.go has the run, publisher.go what is published, page.go, legacy.go, precise.go and stream.go who
// polls, disturb.go what goes wrong, store.go where the events are, history.go what is recorded, judge.go and
// judge.py the verdict, report.go what is printed.
package soak
