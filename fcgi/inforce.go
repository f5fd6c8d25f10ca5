package main

import (
	"cmp"
	"log/slog"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"

	"novcomet/conf"
	"novcomet/conf/build"
	"novcomet/fcgi/fastcgi"
	"novcomet/fcgi/reactor"
)

// inForce is what a request gets from the settings. A reload replaces it, and sets the limits of the endpoint
// and the level of the log.
type inForce struct {
	locations *build.Locations
	limits    reactor.Limits
}

func newInForce(c conf.Config) *inForce {
	return &inForce{
		locations: build.NewLocations(c),
		limits: reactor.Limits{
			Limits: fastcgi.Limits{Params: c.MaxRequest, Body: max(c.MaxRequest, c.Data.MaxBytes)},
			Time:   c.RequestTimeout,
		},
	}
}

// withMaxWaiting returns the settings with the max_waiting that applies. Its default is also its maximum: it
// leaves some connections for publications, and for polls that are answered at once because so many wait.
func withMaxWaiting(c conf.Config, connections int) conf.Config {
	const reserve = 1000
	most := connections - min(connections/5, reserve)
	c.MaxWaiting = min(cmp.Or(c.MaxWaiting, most), most)
	return c
}

// maxConnections returns how many connections there may be: the limit of open files, minus what the store and
// the process need. For example, the files store needs a descriptor of its directory. Go has raised the soft
// limit to the hard one at the start.
func maxConnections() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, errors.Wrap(err, "the limit of open files")
	}
	return connectionsWith(limit.Cur), nil
}

func connectionsWith(openFiles uint64) int {
	const most = 1 << 20
	files := int(min(openFiles, most))
	return files - min(files/2, 128)
}

// announce logs who may publish and subscribe by URL, and each setting that is probably a mistake.
func announce(settings conf.Loaded, log *slog.Logger) {
	log.Info("settings in force", "file", cmp.Or(settings.File(), "none"), "publish", settings.Publish.Allow.String(),
		"subscribe", settings.Subscribe.Allow.String(), "signed", settings.Subscribe.Signed.String())
	if !settings.Sets("publish.allow") {
		log.Warn("everybody who reaches the URL may publish every event; set publish.allow")
	}
	for _, warning := range settings.Warnings() {
		log.Warn(warning)
	}
}
