package main

import (
	"context"
	"fmt"
	"io"

	"novcomet/examples/internal/launch"
)

// serveWith builds NovComet, and starts a web server in front of it.
func serveWith(ctx context.Context, o options, stdout, stderr io.Writer) error {
	fmt.Fprintln(stdout, "Building NovComet …")
	site, err := launch.Start(ctx, launch.Options{
		Server: o.server, Directory: o.directory, Port: o.port, Log: &quietWriter{to: stderr},
	})
	if ctx.Err() != nil {
		return nil // Ctrl-C during the build
	}
	if err != nil {
		return err
	}
	explain(stdout, o, running{
		url: site.URL, user: site.User,
		mayWrite: func(path string) bool { return site.Shell(ctx, "test -w "+quoted(path)) == nil },
	})
	select {
	case <-ctx.Done():
		return site.Stop()
	case <-site.Ended():
		site.Stop()
		return fmt.Errorf("%s has ended; it printed:\n%s", o.server, site.Log())
	}
}
