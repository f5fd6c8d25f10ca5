package soak

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"novcomet/examples/internal/launch"
)

func TestSuperviseComet_CountsCrashesButNotFailedStarts(t *testing.T) {
	t.Parallel()
	site, err := launch.Start(t.Context(), launch.Options{Server: launch.Nginx, HoldSocket: true})
	if err != nil {
		t.Fatal(err)
	}
	s := &soak{site: site, failures: map[string]int{}}
	stop := s.superviseComet(t.Context())
	defer func() {
		stop()
		if err := site.Stop(); err != nil || len(s.failures) > 0 {
			t.Error(err, s.failures)
		}
	}()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	until := func(condition func() bool) {
		t.Helper()
		must(launch.Until(t.Context(), 20*time.Millisecond, nil, func() error {
			s.comet.Lock()
			defer s.comet.Unlock()
			if !condition() {
				return errors.New("not yet")
			}
			return nil
		}))
	}
	starts := func() int { return strings.Count(site.Log(), "ready socket=") }
	s.comet.Lock()
	must(site.StopDaemon())
	must(os.Rename(site.Events, site.Events+"-away"))
	must(s.startComet(occurrence{ctx: t.Context()})())
	s.comet.Unlock()
	until(func() bool { return s.countFailedStarts() >= 3 })

	must(os.Rename(site.Events+"-away", site.Events))
	until(func() bool { return starts() > 1 })
	s.comet.Lock()
	if s.ended != 0 {
		t.Errorf("%d failed starts count as crashes", s.ended)
	}
	must(site.Kill())
	s.comet.Unlock()
	until(func() bool { return s.ended > 0 })
}
