// Demo shows NovComet in a browser. `go run ./examples/demo` needs nothing but Go: this process serves the
// page of examples/browser and the endpoint. With --with nginx, or another web server, that server serves
// them, configured by the files in examples/ that an administrator copies.
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

	"novcomet/examples/internal/launch"
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

// options are the options of the command line.
type options struct {
	server    launch.Server // empty if this process serves
	directory string        // an absolute path
	port      int
}

// run serves until the context ends, and then returns nil.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if errors.Is(err, pflag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	serve := serveItself
	if o.server != "" {
		serve = serveWith
	}
	err = serve(ctx, o, stdout, stderr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("another program uses port %d: choose another one, such as --port %d", o.port, o.port+1)
	}
	return err
}

func parse(args []string, stderr io.Writer) (options, error) {
	flags := pflag.NewFlagSet("demo", pflag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "The demo shows NovComet in a browser on this machine.\n\n%s", flags.FlagUsages())
	}
	servers := fmt.Sprintf("put a real web server in front, one of %v (apache means apache-cgi)", launch.Servers())
	with := flags.String("with", "", servers)
	port := flags.Int("port", 8080, "the port on 127.0.0.1, 1 to 65535")
	directory := flags.String("directory", "/dev/shm", "the directory of the events")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("%q is not a flag: the demo has --with, --port and --directory", flags.Arg(0))
	}
	if *port < 1 || *port > 65535 {
		return options{}, fmt.Errorf("--port %d: give a port from 1 to 65535", *port)
	}
	if entry, err := os.Stat(*directory); err != nil || !entry.IsDir() {
		return options{}, fmt.Errorf("--directory %s is not a directory: create it or name another one", *directory)
	}
	absolute, err := filepath.Abs(*directory)
	if err != nil {
		return options{}, errors.Wrap(err, "finding the path of --directory")
	}
	o := options{directory: absolute, port: *port}
	if *with != "" {
		if o.server, err = launch.Parse(*with); err != nil {
			return options{}, fmt.Errorf("--with: %w", err)
		}
	}
	return o, nil
}
