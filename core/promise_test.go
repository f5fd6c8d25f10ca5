package core_test

import (
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"
)

// The promise, under random schedules. Each history goes the whole way: a query, the loop, an answer, the next query.
func TestThePromiseIsKeptInEveryHistory(t *testing.T) { keepThePromise(t, histories) }

func TestThePromiseIsKeptInEveryHistoryOfStreamsAndData(t *testing.T) {
	keepThePromise(t, historiesOfStreams)
}

func keepThePromise(t *testing.T, histories *rapid.Generator[*history]) {
	rapid.Check(t, func(rt *rapid.T) {
		h := histories.Draw(rt, "history")
		var p *playback
		synctest.Test(t, func(t *testing.T) { p = h.play(t) }) // Its end is that of all goroutines, or a panic.
		if broken := p.judge(); broken != nil {
			rt.Log(p)
			rt.Fatal(broken)
		}
	})
}
