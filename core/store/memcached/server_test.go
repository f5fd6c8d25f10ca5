package memcached

import (
	"testing"
	"time"
)

// Of three exchanges, the last is answered first, and the second fails in the end.
func TestServer_IsUpIfALaterExchangeWasAnswered(t *testing.T) {
	var s server
	began := time.Now()
	s.record(began.Add(2*time.Second), nil)
	s.record(began, nil)
	s.record(began.Add(time.Second), errNoAnswer)
	if s.isDown() {
		t.Error("it counts as down; want up")
	}
	s.record(began.Add(2*time.Second), errNoAnswer)
	if !s.isDown() {
		t.Error("the latest exchange failed, and it counts as up")
	}
}
