package reactor

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestScavenger_ReleasesMemoryWhenABurstIsOver(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		begin, released := time.Now(), make(chan time.Duration, 10)
		synctest.Wait()
		b.scavenger.free = func() { released <- time.Since(begin) }
		work := func(events int) {
			b.system.report(make([]readiness, events)...)
			synctest.Wait()
		}
		for range 2 { // Work that is less than a burst is forgotten.
			work(burst - 1)
			time.Sleep(10 * time.Second)
		}
		work(burst - 1)
		time.Sleep(quiet / 2)
		work(1)
		time.Sleep(quiet + 100*time.Millisecond)
		work(burst) // It comes soon after the first release.
		time.Sleep(time.Minute)
		first := 20*time.Second + quiet/2 + quiet
		for _, want := range []time.Duration{first, first + releasePause} {
			if got := <-released; got != want {
				t.Errorf("memory is released after %v, want %v", got, want)
			}
		}
		if n := len(released); n > 0 {
			t.Errorf("memory is released %d times more", n)
		}
	})
}
