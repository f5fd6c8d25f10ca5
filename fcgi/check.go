package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"

	"novcomet/conf"
	"novcomet/core/store"
	"novcomet/fcgi/internal/check"
)

const checkCommand = "check"

// checkFlags are the flags and arguments of the command check.
type checkFlags struct {
	url           string
	wait          time.Duration
	event, socket string
	json, verbose bool
}

func (c *checkFlags) addTo(flags *pflag.FlagSet) {
	flags.DurationVar(&c.wait, "wait", 0,
		"check: wait at most this `TIME`, such as 10s, for the answer to a poll: time-outs that are shorter are found "+
			"(default: until it is answered, at most 2m)")
	flags.StringVar(&c.socket, "socket", "",
		"check: only test whether comet-fcgi answers on this `ADDRESS`, written as for --listen")
	flags.StringVar(&c.event, "event", "",
		"check: subscribe to and publish this `ID` (default: one of its own, novcomet-check-…)")
	flags.BoolVar(&c.json, "json", false, "check: print JSON")
	flags.BoolVar(&c.verbose, "verbose", false,
		"check: print all settings, not only those that differ from the defaults")
}

// parse reads the arguments after the command.
func (c *checkFlags) parse(arguments []string) error {
	if len(arguments) > 1 {
		return fmt.Errorf("%q: check takes one URL: comet-fcgi check http://localhost/comet.php", arguments[1])
	}
	if len(arguments) == 1 && c.socket != "" {
		return errors.New("check --socket takes no URL, because it tests only the socket")
	}
	if len(arguments) == 1 {
		c.url = arguments[0]
	}
	return nil
}

// runCheck prints a report, and returns the exit status: 1 if there is a problem.
func runCheck(ctx context.Context, o commandLine, environ []string, stdout, stderr io.Writer) int {
	report, err := check.Run(ctx, check.Options{
		Source: o.source(environ), URL: o.check.url, Wait: o.check.wait, Socket: o.check.socket, Event: o.check.event,
		OpenStore: func(c conf.Config) (store.Store, error) { return openStore(c) },
	})
	if err != nil {
		fmt.Fprintf(stderr, "comet-fcgi: %v\n", err)
		return 2
	}
	if o.check.json {
		err = report.JSON(stdout)
	} else {
		err = report.Text(stdout, o.check.verbose)
	}
	if err != nil || report.Verdict() == check.Problem {
		return 1
	}
	return 0
}
