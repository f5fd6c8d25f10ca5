package main

import (
	"fmt"
	"log/slog"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"

	"novcomet/conf"
	"novcomet/core"
	"novcomet/core/gateway"
)

// policy is what the configuration says about requests. SIGHUP makes another one, for requests that come then.
type policy struct {
	gateway *gateway.Gateway
	limits  limits
	users   *users
}

func newPolicy(config conf.Config, log *slog.Logger) (policy, error) {
	store, shut, err := openStore(config)
	if err != nil {
		return policy{}, err
	}
	// A server that can't be reached may still come; a directory that is not there is a mistake.
	if files, ok := store.(*core.Files); ok {
		if err := files.Probe(); err != nil {
			return policy{}, fmt.Errorf("file.directory: %w", err)
		}
	}
	if config.MaxWaiting == 0 {
		connections, err := maxConnections()
		if err != nil {
			return policy{}, err
		}
		// Some are left to those that don't wait: publications, and polls that are answered at once because so many wait.
		const most = 1000
		config.MaxWaiting = connections - min(connections/5, most)
	}
	g := gateway.New(config, store, log)
	return policy{g, limitsOf(config), &users{last: func() { shutDown(g, shut, log) }}}, nil
}

// shutDown closes the store of a gateway that nobody uses any more.
func shutDown(g *gateway.Gateway, shut func() error, log *slog.Logger) {
	g.Close()
	<-g.Ended()
	if err := shut(); err != nil {
		log.Warn("closing the connections to the old store failed", "error", err)
	}
}

// limitsOf returns the limits of one request. Its body is a form, or what an event is to carry.
func limitsOf(config conf.Config) limits {
	return limits{config.MaxRequest, max(config.MaxRequest, config.Data.MaxBytes), config.RequestTimeout}
}

// maxConnections returns how many connections there may be: as many as the limit of open files allows, less what the store
// and the process itself need, for without a file to open the store could not be looked at. Go has raised the soft limit
// to the hard one at the start.
func maxConnections() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, errors.Wrap(err, "the limit of open files")
	}
	return connectionsWith(limit.Cur), nil
}

// connectionsWith returns how many connections there may be with a limit of open files.
func connectionsWith(limit uint64) int {
	const enough = 1 << 20
	files := int(min(limit, enough))
	return files - min(files/2, 128)
}
