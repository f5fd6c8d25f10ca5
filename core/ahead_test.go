package core_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

// A file that somebody touches into the future gives whole-second clients an S that is still to come. However far ahead it
// is, and however long they pause (up to 3 s), a publication after it must reach them.
func TestAFileTouchedIntoTheFutureHidesNoLaterPublication(t *testing.T) {
	for ahead := time.Duration(0); ahead <= 9*time.Second; ahead += 300 * time.Millisecond {
		for _, touched := range []time.Duration{0, 350 * time.Millisecond, 850 * time.Millisecond, 990 * time.Millisecond} {
			for pause := time.Duration(0); pause <= 3*time.Second; pause += time.Second {
				for later := 50 * time.Millisecond; later < 9*time.Second; later += 730 * time.Millisecond {
					if !seenAfterTouch(t, touched, ahead, pause, later) {
						t.Fatalf("touched at %v, %v ahead, published %v later: a client that pauses %v never saw it", touched, ahead, later, pause)
					}
				}
			}
		}
	}
}

// seenAfterTouch reports whether an old client is answered after the publication.
func seenAfterTouch(t *testing.T, touched, ahead, pause, later time.Duration) (seen bool) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 2, Sleep: 500 * time.Millisecond})
		published := touched + later
		time.AfterFunc(touched, func() { store.set(t, "a", time.Now().Add(ahead)) })
		time.AfterFunc(published, func() {
			if _, err := store.Publish(t.Context(), mustID(t, "a")); err != nil {
				t.Error(err)
			}
		})
		last := start.Unix() - 10
		for time.Since(start) < published+pause+12*time.Second && !seen {
			_, body := ask(t, endpoint, fmt.Sprintf("&subscribed[a]=%d&0", last))
			var answer struct{ K map[string]int64 }
			if err := json.Unmarshal([]byte(body), &answer); err != nil {
				t.Fatal(err)
			}
			if s, changed := answer.K["a"]; changed {
				last, seen = s, time.Since(start) >= published
			}
			time.Sleep(pause)
		}
	})
	return seen
}
