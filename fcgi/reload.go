package main

import (
	"context"
	"os"

	"novcomet/conf"
)

// reloadAt takes over the configuration anew at each signal, until ctx ends. Polls that wait go on as they began. With a
// wrong configuration the old one stays in force.
func (s *server) reloadAt(ctx context.Context, signals <-chan os.Signal, source conf.Source, log *journal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		config, err := conf.Load(source)
		if err == nil {
			var p policy
			if p, err = newPolicy(config, log.Logger); err == nil {
				log.follow(config)
				s.adopt(p)
				warn(config, log.each)
				log.each.Info("the configuration was read again; what it says of the socket, of max_serving and of log_format needs a restart")
				continue
			}
		}
		log.each.Error("the configuration was not taken over; the old one stays in force", "error", err)
	}
}
