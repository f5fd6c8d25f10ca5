package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/coreos/go-systemd/v22/daemon"

	"novcomet/conf"
	"novcomet/conf/build"
)

// reloadUntil reads the settings again at each signal, until ctx ends. If they are invalid, the old ones stay
// in force.
//
// New settings apply to requests that arrive from now on. A waiting poll keeps its own; streams end, and
// their browsers open new ones. Some settings belong to the process and need a restart. The log names those
// that have changed. If the store has changed, all old settings stay in force.
func (s *server) reloadUntil(ctx context.Context, signals <-chan os.Signal, settings conf.Loaded, log *serverLog) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		notifyReloading()
		next, err := settings.Again()
		var restart, store []string
		if err == nil {
			next.Config = withMaxWaiting(next.Config, s.maxConnections)
			// The new rules may be meant for the new store: with the old one, they could allow too much.
			if restart, store = s.startSettings.RestartKeys(next); store != nil {
				err = fmt.Errorf("%s need a restart", strings.Join(store, ", "))
			}
		}
		if err != nil {
			log.verbatim.Error("reload failed; the old settings stay in force", "error", err)
			notify(daemon.SdNotifyReady) // It serves with the old settings.
			continue
		}
		log.setLevel(next.Config)
		s.endpoint.SetLimits(build.Limits(next.Config))
		// The open streams end first: none of them may send what only the new settings let visitors publish.
		s.inForce.Load().locations.Replace()
		s.inForce.Store(newInForce(next.Config))
		announce(next, log.verbatim)
		if len(restart) > 0 {
			log.verbatim.Warn("changed settings need a restart", "keys", strings.Join(restart, ","))
		}
		log.verbatim.Info("settings reloaded")
		settings = next
		notify(daemon.SdNotifyReady)
	}
}
