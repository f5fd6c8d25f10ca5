package main

import (
	"context"
	"log/slog"
	"os"

	"novcomet/conf"
)

// reloadAt takes over the configuration anew at each signal, until ctx ends. Polls that wait go on as they began. With a
// wrong configuration the old one stays in force.
func (s *server) reloadAt(ctx context.Context, signals <-chan os.Signal, source conf.Source, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		config, err := conf.Load(source)
		if err == nil {
			var p policy
			if p, err = newPolicy(config, log); err == nil {
				s.adopt(p)
				warn(config, log)
				log.Info("the configuration was read again; what it says of the socket and of max_serving needs a restart")
				continue
			}
		}
		log.Error("the configuration was not taken over; the old one stays in force", "error", err)
	}
}
