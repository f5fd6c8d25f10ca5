package core_test

import (
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

func TestASleepBelow10msCountsAs10ms(t *testing.T) {
	for _, test := range []struct {
		settings core.Settings
		wait     time.Duration
	}{
		{core.Settings{}, 0},
		{core.Settings{Tries: -1, Sleep: time.Second}, 0},
		{core.Settings{Tries: 3}, 30 * time.Millisecond},
		{core.Settings{Tries: 3, Sleep: -time.Second}, 30 * time.Millisecond},
		{core.Settings{Tries: 3, Sleep: time.Millisecond}, 30 * time.Millisecond},
		{core.Settings{Tries: 3, Sleep: 11 * time.Millisecond}, 33 * time.Millisecond},
	} {
		if got := test.settings.Wait(); got != test.wait {
			t.Errorf("%d tries with a sleep of %v wait %v; want %v", test.settings.Tries, test.settings.Sleep, got, test.wait)
		}
		synctest.Test(t, func(t *testing.T) {
			store := newMemory()
			ask(t, core.NewEndpoint(store, test.settings), "subscribed[a]=0.000000")
			if after, looks := time.Since(start), len(store.looked()); after != test.wait || looks != max(test.settings.Tries, 0)+1 {
				t.Errorf("%d tries with a sleep of %v: answered after %v and %d looks; want %v, and a look more than tries",
					test.settings.Tries, test.settings.Sleep, after, looks, test.wait)
			}
		})
	}
}
