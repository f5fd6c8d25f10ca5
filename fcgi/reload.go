package main

import (
	"context"
	"os"
	"strings"

	"novcomet/conf"
)

// reloadAt reads the settings again at each signal, until ctx ends. A poll that waits keeps those that it came with. If the new
// settings are invalid, the old ones stay in force.
func (s *server) reloadAt(ctx context.Context, signals <-chan os.Signal, settings conf.Loaded, log *serverLog) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		next, err := settings.Again()
		if err == nil {
			var p policy
			if p, err = newPolicy(next.Config, log.Logger); err == nil {
				message := "settings reloaded"
				if names := settings.RestartKeys(next); len(names) > 0 {
					message += "; a restart is needed for the changes of " + strings.Join(names, ", ")
				}
				settings = next
				log.setLevel(settings.Config)
				s.adopt(p)
				announce(settings, log.verbatim)
				log.verbatim.Info(message)
				continue
			}
		}
		log.verbatim.Error("reload failed; the old settings stay in force", "error", err)
	}
}
