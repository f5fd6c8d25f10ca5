package sim

import (
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
	"novcomet/core/internal/coretest"
)

// The clock is set back after a check has read it, and before the check sees a publication. The stamp then
// looks old by the time that the check has read. But a later publication in the same tick gets it, too.
func TestKernel_StampIsFreshIfTheClockWasSetBackDuringTheCheck(t *testing.T) {
	for contract, test := range map[string]struct{ latency, by, published time.Duration }{
		"by an hour":                   {2 * time.Millisecond, time.Hour, 1500 * time.Microsecond},
		"by less than the check takes": {38 * time.Millisecond, 30 * time.Millisecond, 37 * time.Millisecond},
	} {
		t.Run(contract, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &kernel{tick: 10 * time.Millisecond, latency: test.latency, files: map[string]*inode{}}
				location := core.Location{Tries: 20, Sleep: 2 * time.Second}
				endpoint := core.NewEndpoint(k, core.Options{Location: location})
				defer endpoint.Close()
				time.Sleep(time.Second)
				time.AfterFunc(test.latency*11/20, func() { k.setClockBack(test.by) })
				time.AfterFunc(test.published, func() { k.touch("a") })
				_, body := coretest.Ask(t, endpoint, "subscribed[a]=0.000000")
				k.touch("a")
				if k.publications[0].stamp == k.publications[1].stamp {
					t.Errorf("%s was sent at %v, and the next publication got the same stamp", body, relative(k.now().clock))
				}
			})
		})
	}
}
