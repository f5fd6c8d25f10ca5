package main

import (
	"fmt"
	"log/slog"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"

	"novcomet/conf"
	"novcomet/core/gateway"
)

// policy is what the configuration says about requests. SIGHUP makes another one, for requests that come then.
type policy struct {
	gateway *gateway.Gateway
	limits  limits
}

func newPolicy(config conf.Config, log *slog.Logger) (policy, error) {
	store := gateway.Files(config)
	if err := store.Probe(); err != nil {
		return policy{}, fmt.Errorf("file.directory: %w", err)
	}
	if config.MaxWaiting == 0 {
		files, err := fileLimit()
		if err != nil {
			return policy{}, err
		}
		config.MaxWaiting = files - reserve(files)
	}
	return policy{gateway.New(config, store, log), limits{config.MaxRequest, config.RequestTimeout}}, nil
}

// fileLimit returns how many files this process may have open. Go has raised the soft limit to the hard one at the start.
func fileLimit() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, errors.Wrap(err, "the limit of open files")
	}
	return int(min(limit.Cur, 1<<20)), nil
}

// reserve is what is left for connections that don't wait: those that are answered at once because so many wait already,
// publications, and the process' own files.
func reserve(files int) int {
	const most = 1000
	return min(files/5, most)
}
