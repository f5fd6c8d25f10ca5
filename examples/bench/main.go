// Bench measures comet-fcgi and a plain net/http/fcgi program that has the same protocol: in one run, on one
// machine, with the same requests.
//
//	go -C examples/bench run .                       requests as nginx sends them (--with nginx: through nginx)
//	go -C examples/bench run . --baseline PROGRAM    the same, beside an earlier comet-fcgi
//	go -C examples/bench run . --servers             a stream through each web server
//	go -C examples/bench run . --store redis         two comet-fcgi that share a Redis
//	go -C examples/bench run . --soak 60s            no figures: is a publication missed while servers restart?
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	pkgerrors "github.com/pkg/errors"
	"github.com/spf13/pflag"

	"novcomet/examples/internal/launch"
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

// bench is one run.
type bench struct {
	options
	report   *report
	progress *progress
	scratch  string // a directory for programs and sockets
	program  string // the path of comet-fcgi
}

// temporary begins the names of this process's directories.
var temporary = fmt.Sprintf("novcomet-bench-%d-", os.Getpid())

// run measures, prints the tables to stdout, and shows its progress on stderr, if that is a terminal.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseOptions(args, stderr)
	if errors.Is(err, pflag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.time,
		fmt.Errorf("not done within %v: raise --time, or measure less (--waiters, --rounds)", o.time))
	defer cancel()
	b := &bench{options: o, report: newReport(ctx, o), progress: newProgress(stderr)}
	if b.scratch, err = os.MkdirTemp("", temporary); err != nil {
		return pkgerrors.Wrap(err, "making a temporary directory")
	}
	defer os.RemoveAll(b.scratch)
	switch o.mode {
	case soakMode:
		err = b.runSoak(ctx, stdout)
	case serversMode:
		err = b.measureServers(ctx)
	case storeMode:
		err = b.measureStore(ctx)
	default:
		err = b.measurePrograms(ctx)
	}
	b.progress.done()
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil || o.mode == soakMode {
		return err
	}
	b.report.print(stdout)
	if o.json != "" {
		if err := writeJSON(o.json, b.report); err != nil {
			return err
		}
	}
	if o.plot != "" {
		return b.report.plot(o.plot)
	}
	return nil
}

// build builds comet-fcgi from the tree, once.
func (b *bench) build(ctx context.Context) error {
	if b.program != "" {
		return nil
	}
	source, err := launch.Source(ctx)
	if err != nil {
		return err
	}
	program := filepath.Join(b.scratch, "comet-fcgi")
	output, err := exec.CommandContext(ctx, "go", "-C", source, "build", "-o", program, "./fcgi").CombinedOutput()
	if err != nil {
		return pkgerrors.Wrapf(err, "building comet-fcgi: %s", output)
	}
	b.program = program
	return nil
}

// waitUntil calls ready at this interval until it returns nil, for up to a minute.
func waitUntil(ctx context.Context, interval time.Duration, ready func() error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return launch.Until(ctx, interval, nil, ready)
}
