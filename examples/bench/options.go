package main

import (
	"io"
	"slices"
	"syscall"
	"time"

	"github.com/pkg/errors"
	"github.com/spf13/pflag"
)

// options say what is measured.
type options struct {
	waiters []int
	rounds  int
	leaves  int
	samples int
	window  time.Duration
	time    time.Duration
	with    string
	only    string
	store   string
	servers bool
	json    string
	plot    string

	streams int

	soak  time.Duration
	pages int
	slack time.Duration
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.SortFlags = false
	flags.IntSliceVar(&o.waiters, "waiters", []int{1000, 2000, 4000, 8000}, "how many wait at one time, one measurement for each number")
	flags.IntVar(&o.rounds, "rounds", 5, "how often all of them are answered and ask again, at least 1")
	flags.IntVar(&o.leaves, "leaves", 3, "how often all of them leave at once, and come back, at least 1")
	flags.IntVar(&o.samples, "samples", 200, "publications for a single waiter, at least 1")
	flags.DurationVar(&o.window, "window", 10*time.Second, "for how long the CPU time of waiting is measured, 100ms to 30s")
	flags.IntVar(&o.streams, "streams", 2000, "how many read streams, and as many polls beside them; 0: none")
	flags.DurationVar(&o.soak, "soak", 0, "instead: try for this time whether anything is missed, while servers are restarted, at least 2s")
	flags.IntVar(&o.pages, "pages", 0, "soak: how many poll, at least 2 (default 300, or 50 where each takes a process)")
	flags.DurationVar(&o.slack, "slack", 5*time.Second, "soak: how much later than promised an answer may come, for a loaded machine takes its time")
	flags.DurationVar(&o.time, "time", 30*time.Minute, "give up after this time")
	flags.StringVar(&o.with, "with", "", "the web server to go through: nginx (default: none, FastCGI as nginx speaks it); soak and servers: any of "+servers()+" (default nginx, or all)")
	flags.StringVar(&o.only, "only", "", "measure only this one: comet-fcgi or plain (default: both)")
	flags.StringVar(&o.store, "store", "", "instead: measure two comet-fcgi on one redis")
	flags.BoolVar(&o.servers, "servers", false, "instead: measure a stream through each web server, or through the one of --with")
	flags.StringVar(&o.json, "json", "", "write all figures to this file")
	flags.StringVar(&o.plot, "plot", "", "draw a chart into this file, which must end in .svg")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, errors.Errorf("%q is not understood: see --help", flags.Arg(0))
	}
	return o, o.check()
}

func (o options) check() error {
	switch {
	case o.soak != 0:
		return o.checkSoak()
	case o.servers:
		return o.checkServers()
	}
	switch {
	case len(o.waiters) == 0 || slices.Min(o.waiters) < 1:
		return errors.New("--waiters: give numbers from 1, separated by commas")
	case o.rounds < 1 || o.leaves < 1 || o.samples < 1:
		return errors.New("--rounds, --leaves and --samples: give a number from 1")
	case o.streams < 0:
		return errors.New("--streams: give a number from 0")
	case o.window < 100*time.Millisecond || o.window > 30*time.Second: // Through nginx a poll must not last 75 s.
		return errors.New("--window: give a duration from 100ms to 30s")
	case o.with != "" && o.with != "nginx":
		return errors.Errorf("--with %s: only nginx is known here", o.with)
	case o.only != "" && !slices.ContainsFunc(kinds, func(k kind) bool { return k.name == o.only }):
		return errors.Errorf("--only %s: give comet-fcgi or plain", o.only)
	case o.store != "" && o.store != "redis":
		return errors.Errorf("--store %s: only redis is known here", o.store)
	case o.store != "" && (o.with != "" || o.only != "" || o.plot != ""):
		return errors.New("--store: there is nothing to go through, to leave out or to draw")
	case o.plot != "" && !drawable(o.plot):
		return errors.Errorf("--plot %s: give a file that ends in .svg", o.plot)
	}
	if err := o.fits("--streams", o.streams); err != nil {
		return err
	}
	return o.fits("--waiters", slices.Max(o.waiters))
}

// fits checks the file limit, which is that of each process: a waiter takes one file of each, two of a web server.
func (o options) fits(option string, waiters int) error {
	const others = 100
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return errors.Wrap(err, "looking for the file limit")
	}
	files, through := 1, ""
	if o.with != "" {
		files, through = 2, " of the web server"
	}
	most := (min(limit.Max, 1<<20) - others) / uint64(files)
	if uint64(waiters) > most {
		return errors.Errorf("%s %d: each takes %d open files%s, and a process may have %d here (ulimit -Hn): take %d at most",
			option, waiters, files, through, limit.Max, most)
	}
	return nil
}

func (o options) kinds() []kind {
	return slices.DeleteFunc(slices.Clone(kinds), func(k kind) bool { return o.only != "" && k.name != o.only })
}
