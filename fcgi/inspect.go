package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"

	"novcomet/fcgi/internal/check"
)

const checkCommand = "check" // before the URL, if any

// checking is what the command line says of the check.
type checking struct {
	url   string
	wait  time.Duration
	event string
	json  bool
}

func (c *checking) addTo(flags *pflag.FlagSet) {
	flags.DurationVar(&c.wait, "wait", 0, "check: wait at most this `TIME`, such as 10s, for the answer to a poll: time-outs that are shorter are found (default: until it is answered)")
	flags.StringVar(&c.event, "event", "", "check: subscribe to and publish this `ID` (default: one of its own, novcomet-check-…)")
	flags.BoolVar(&c.json, "json", false, "check: print JSON")
}

// take takes the arguments after the command.
func (c *checking) take(arguments []string) error {
	switch len(arguments) {
	case 0:
		return nil
	case 1:
		c.url = arguments[0]
		return nil
	default:
		return fmt.Errorf("%q: check takes one URL: comet-fcgi check http://localhost/comet.php", arguments[1])
	}
}

// inspect looks at whether all is right, and returns the exit status: 1, if there is a problem.
func inspect(ctx context.Context, o options, environ []string, stdout, stderr io.Writer) int {
	report, err := check.Run(ctx, check.Options{
		Source: o.source(environ), URL: o.check.url, Wait: o.check.wait, Event: o.check.event,
		Store: openStore, Connections: connectionsWith,
	})
	if err != nil {
		fmt.Fprintf(stderr, "comet-fcgi: %v\n", err)
		return 2
	}
	show := report.Text
	if o.check.json {
		show = report.JSON
	}
	if err := show(stdout); err != nil || report.Verdict() == check.Problem {
		return 1
	}
	return 0
}
