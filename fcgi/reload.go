package main

import (
	"context"
	"os"

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
				settings = next
				log.setLevel(settings.Config)
				s.adopt(p)
				announce(settings, log.verbatim)
				log.verbatim.Info("settings reloaded; changes of listen, socket, max_serving and log_format need a restart")
				continue
			}
		}
		log.verbatim.Error("reload failed; the old settings stay in force", "error", err)
	}
}
