// Comet-fcgi is NovComet as a FastCGI backend: one process holds thousands of waiting requests for nginx,
// Apache, lighttpd or Caddy.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/spf13/pflag"

	"novcomet/conf/build"
)

func main() {
	if os.Getenv("GATEWAY_INTERFACE") != "" { // Then the arguments are not the administrator's, but the visitor's.
		answerAsCGI(os.Getenv("CONTENT_LENGTH"), os.Stdin, os.Stdout)
		os.Exit(1)
	}
	signal.Ignore(syscall.SIGPIPE) // The process must not end if nobody reads its log.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// gcPercent was measured with thousands of polls that are answered at the same time and come again, on two
// cores. With Go's default of 100, an answer and the next poll take a fifth more CPU. The reactor releases
// the additional memory after a burst.
const gcPercent = 300

// run runs a command, or serves until ctx ends, and returns the exit status.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	c, err := parseCommandLine(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		fmt.Fprint(stdout, usage())
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "comet-fcgi: %v\n", err)
		return 2
	case c.version:
		fmt.Fprintf(stdout, "comet-fcgi %s (%s)\n", build.Version(), runtime.Version())
		return 0
	}
	switch c.command {
	case checkCommand:
		return runCheck(ctx, c, environ, stdout, stderr)
	case publishCommand:
		err = publish(ctx, c.source(environ), c.publish)
	default:
		err = serve(ctx, c, environ, stderr)
	}
	switch {
	case errors.Is(err, errNoSocket):
		fmt.Fprintf(stderr, "comet-fcgi: %v\n\n%s", err, usage())
		return 2
	case err != nil:
		fmt.Fprintf(stderr, "comet-fcgi: %v\n", err)
		return 1
	}
	return 0
}
