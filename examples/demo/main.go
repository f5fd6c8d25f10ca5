// Demo shows NovComet on this machine: `go run ./examples/demo` needs nothing but Go. It builds comet.cgi and serves it
// with the page of examples/browser; with --with nginx (or another one) the real web server does, from the
// files in examples/ that one would copy.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/pkg/errors"
	"github.com/spf13/pflag"

	"novcomet/examples/demo/launch"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run serves until the context ends, which is the orderly end and no error.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	options, err := parse(args, stderr)
	if errors.Is(err, pflag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, "Building NovComet …")
	site, err := launch.Start(ctx, options)
	if ctx.Err() != nil {
		return nil // Ctrl-C while it was being built
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return errors.Errorf("port %d is in use by another program; choose another one, e.g. --port %d", options.Port, options.Port+1)
	}
	if err != nil {
		return err
	}
	explain(ctx, stdout, site, options)
	select {
	case <-ctx.Done():
		return site.Stop()
	case <-site.Ended():
		site.Stop()
		return errors.Errorf("%s has ended of itself; it said:\n%s", options.Server, site.Log())
	}
}

func parse(args []string, stderr io.Writer) (launch.Options, error) {
	flags := pflag.NewFlagSet("demo", pflag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "The demo builds NovComet and shows it in a browser, through a web server on this machine alone.\n\n%s", flags.FlagUsages())
	}
	with := flags.String("with", string(launch.GoCGI), fmt.Sprintf("the web server, one of %v (apache: apache-cgi)", launch.Servers()))
	port := flags.Int("port", 8080, "where it listens on 127.0.0.1, 1 to 65535")
	directory := flags.String("directory", "/dev/shm", "where the events are")
	if err := flags.Parse(args); err != nil {
		return launch.Options{}, err
	}
	if flags.NArg() > 0 {
		return launch.Options{}, errors.Errorf("%q is not understood: the demo takes only --with, --port and --directory", flags.Arg(0))
	}
	if *port < 1 || *port > 65535 {
		return launch.Options{}, errors.Errorf("--port %d: take one from 1 to 65535", *port)
	}
	if entry, err := os.Stat(*directory); err != nil || !entry.IsDir() {
		return launch.Options{}, errors.Errorf("--directory %s is not a directory: make it, or name another one", *directory)
	}
	absolute, err := filepath.Abs(*directory)
	if err != nil {
		return launch.Options{}, errors.Wrap(err, "--directory")
	}
	server, err := launch.Parse(*with)
	if err != nil {
		return launch.Options{}, errors.Wrap(err, "--with")
	}
	return launch.Options{Server: server, Directory: absolute, Port: *port, Log: &quiet{to: stderr}}, nil
}
