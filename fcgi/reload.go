package main

import (
	"context"
	"os"
	"strings"

	"novcomet/conf"
	"novcomet/conf/build"
)

// reloadUntil reads the settings again at each signal, until ctx ends. If they are invalid, the old ones stay
// in force.
//
// New settings apply to requests that arrive from now on. A waiting poll keeps its own; streams end, and
// their browsers open new ones. What belongs to the process needs a restart; the log names the keys that have
// changed and do.
func (s *server) reloadUntil(ctx context.Context, signals <-chan os.Signal, settings conf.Loaded, log *serverLog) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		next, err := settings.Again()
		if err == nil {
			next.Config, err = withMaxWaiting(next.Config)
		}
		if err != nil {
			log.verbatim.Error("reload failed; the old settings stay in force", "error", err)
			continue
		}
		log.setLevel(next.Config)
		s.endpoint.SetLimits(build.Limits(next.Config))
		old := s.inForce.Swap(newInForce(next.Config))
		old.locations.Replace()
		announce(next, log.verbatim)
		if keys := s.started.RestartKeys(next); len(keys) > 0 {
			log.verbatim.Warn("changed settings need a restart", "keys", strings.Join(keys, ","))
		}
		log.verbatim.Info("settings reloaded")
		settings = next
	}
}
