package main

import (
	"net/http"
	"testing"
	"time"
)

// Behind nginx, all browsers leave at once when a popular page is closed, or a proxy before it goes down.
func TestTwoThousandWaitersLeaveAtOnceAndNothingIsLeft(t *testing.T) {
	const n, rounds, soon = 2000, 20, 2 * time.Second
	needFiles(t, 2*n+200)
	s, path := inside(t, t.TempDir(), "COMET_MAX_SERVING=1", "COMET_MAX_WAITING=5000")
	requests := [][]byte{
		sentRequest(1, 0, asked("subscribed[a]=now"), ""),
		sentRequest(1, keep, asked("subscribed[b]=now&subscribed[c]=now"), ""),
		sentRequest(1, 0, asked("subscribed[a]=1&1763800000000"), ""),
	}
	var before footprint
	for round := range rounds {
		waiters := connectCrowd(t, path, n)
		for i, w := range waiters.of {
			w.send(t, requests[i%len(requests)])
		}
		eventually(t, "they all wait", func() bool { return s.waiting() == n })
		begin := time.Now()
		waiters.leave()
		eventually(t, "none is left", func() bool { return s.waiting() == 0 && s.connections() == 0 })
		if took := time.Since(begin); took > soon {
			t.Errorf("round %d: they were forgotten only after %v", round, took)
		}
		if round == 0 {
			before = takeFootprint()
		}
	}
	before.wantBack(t)
	wantAnswer(t, ask(t, path, asked("publish=a"), ""), http.StatusOK, "true")
}
