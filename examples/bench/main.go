// Bench measures comet-fcgi beside a plain net/http/fcgi program that speaks the same protocol: in one run, on one
// machine, with the same requests. `go -C examples/bench run .` sends them as nginx does; with --with nginx they come through a
// real nginx. `go -C examples/bench run . --servers` measures a stream through each web server.
// `go -C examples/bench run . --soak 60s --with nginx` measures nothing, but tries whether anything is missed.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/pkg/errors"
	"github.com/spf13/pflag"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if socket := os.Getenv(plainSocket); socket != "" {
		fmt.Fprintln(os.Stderr, "bench:", servePlain(socket))
		os.Exit(1)
	}
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// run measures, prints the table on stdout and tells on stderr how far it is.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	options, err := parse(args, stderr)
	if errors.Is(err, pflag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, options.time,
		errors.Errorf("not done within %v: raise --time, or measure less (--waiters, --rounds)", options.time))
	defer cancel()
	switch o := options; {
	case o.soak != 0:
		return runSoak(ctx, o, stdout, stderr)
	case o.store != "":
		return runStore(ctx, o, stdout)
	case o.servers:
		return runServers(ctx, o, stdout, stderr)
	}
	report := newReport(ctx, options)
	progress := newProgress(stderr)
	for _, kind := range options.kinds() {
		if err := measureAll(ctx, kind, options, report, progress); err != nil {
			progress.done()
			if ctx.Err() != nil {
				return context.Cause(ctx) // Whatever else it led to.
			}
			return errors.Wrap(err, kind.name)
		}
	}
	if options.streams > 0 && options.only != "plain" {
		if err := measureReading(ctx, options, report, progress); err != nil {
			progress.done()
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		}
	}
	progress.done()
	report.print(stdout)
	if options.json != "" {
		if err := writeJSON(options.json, report); err != nil {
			return err
		}
	}
	if options.plot != "" {
		return report.plot(options.plot)
	}
	return nil
}
