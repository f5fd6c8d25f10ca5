package core_test

import (
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

// The clock is set back after a check has read it and before the check sees a publication. The stamp looks old by what the
// clock read, but another publication in the same tick is still given it.
func TestLoop_TakesAFreshStampForFreshAlthoughTheClockWasSetBackDuringTheCheck(t *testing.T) {
	for name, test := range map[string]struct {
		check, back, publishes time.Duration
	}{
		"by an hour":                   {2 * time.Millisecond, time.Hour, 1500 * time.Microsecond},
		"by less than the check takes": {38 * time.Millisecond, 30 * time.Millisecond, 37 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &kernel{tick: 10 * time.Millisecond, slow: test.check, files: map[string]*inode{}}
				endpoint := core.NewEndpoint(k, core.Settings{Tries: 20, Sleep: 2 * time.Second})
				defer endpoint.Close()
				time.Sleep(time.Second)
				time.AfterFunc(test.check*11/20, func() { k.setBack(test.back) })
				time.AfterFunc(test.publishes, func() { k.touch("a") })
				_, body := ask(t, endpoint, "subscribed[a]=0.000000")
				k.touch("a")
				if first, second := k.publications[0].stamp, k.publications[1].stamp; first == second {
					t.Errorf("answered %s at %v, and the next publication got the same stamp", body, relative(k.clock()))
				}
			})
		})
	}
}
