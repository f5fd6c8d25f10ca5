package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"time"

	pkgerrors "github.com/pkg/errors"
	"github.com/spf13/pflag"

	"novcomet/examples/bench/soak"
	"novcomet/examples/internal/launch"
)

// options are the command line.
type options struct {
	mode     string
	waiters  []int
	rounds   int
	samples  int
	window   time.Duration
	streams  int
	with     launch.Server
	baseline string
	only     string
	json     string
	plot     string
	store    string
	soak     time.Duration
	pages    int
	slack    time.Duration
	disturb  []string
	seed     uint64
	history  string
	time     time.Duration
}

// The modes, each named after the option that selects it.
const (
	programsMode = "" // none: the programs are compared
	serversMode  = "servers"
	storeMode    = "store"
	soakMode     = "soak"
)

// optionsOf are the options that a mode has besides --json and --time.
var optionsOf = map[string][]string{
	programsMode: {"waiters", "rounds", "samples", "window", "streams", "with", baseline, "only", "plot"},
	serversMode:  {serversMode, "samples", "with"},
	storeMode:    {storeMode, "waiters", "samples", "window"},
	soakMode:     {soakMode, "pages", "slack", "with", storeMode, "disturb", "seed", "history", baseline},
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.SortFlags = false
	flags.IntSliceVar(&o.waiters, "waiters", []int{1000, 2000, 4000, 8000},
		"how many clients wait at the same time; one measurement for each number")
	flags.IntVar(&o.rounds, "rounds", 5, "how often all of them get an answer and wait again, at least 1")
	flags.IntVar(&o.samples, "samples", 200, "publications for a single client, at least 1")
	flags.DurationVar(&o.window, "window", 10*time.Second, "how long the CPU time of waiting is measured, 100ms to 30s")
	flags.IntVar(&o.streams, "streams", 2000, "how many streams wait at the same time; 0: none")
	with := flags.String("with", "",
		"the web server in front: nginx (default: none); with --servers and --soak any of "+serverNames())
	flags.StringVar(&o.baseline, baseline, "",
		"the path of an earlier comet-fcgi, which is measured in place of the plain program, or takes turns in a soak")
	flags.StringVar(&o.only, "only", "", "measure only this program: comet-fcgi, plain or baseline (default: two)")
	flags.Bool(serversMode, false,
		"instead: measure a stream through each web server, or through that of --with")
	flags.StringVar(&o.store, storeMode, "",
		"instead: measure two comet-fcgi that share a store: redis; with --soak any of "+strings.Join(soak.Stores(), ", "))
	flags.DurationVar(&o.soak, soakMode, 0,
		"instead: for this time, at least 2s, find out whether a publication is missed while servers restart or break")
	flags.IntVar(&o.pages, "pages", 0,
		"soak: how many pages poll, at least 2 (default 300, or 50 if each needs a process)")
	flags.DurationVar(&o.slack, "slack", 5*time.Second,
		"soak: how much later than promised an answer may come, because the machine is busy (with --disturb 10s)")
	flags.StringSliceVar(&o.disturb, "disturb", nil,
		"soak: what is disturbed, \"all\" or kinds such as kill,full (default restart,reload); most kinds need root")
	flags.Uint64Var(&o.seed, "seed", 0, "soak: chooses the disturbances; it is printed (default: a new one)")
	flags.StringVar(&o.history, "history", "", "soak: write what was asked, answered, published and disturbed here")
	flags.DurationVar(&o.time, "time", 30*time.Minute, "give up after this time")
	flags.StringVar(&o.json, "json", "", "write all figures to this file")
	flags.StringVar(&o.plot, "plot", "", "draw a chart into this file, which must end in .svg")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q: see --help", flags.Arg(0))
	}
	for _, mode := range []string{storeMode, serversMode, soakMode} {
		if flags.Changed(mode) {
			o.mode = mode
		}
	}
	var err error
	flags.Visit(func(f *pflag.Flag) {
		if !slices.Contains(append(optionsOf[o.mode], "json", "time"), f.Name) {
			err = fmt.Errorf("--%s has no effect on this measurement: leave out --%s, or see --help", f.Name, f.Name)
		}
	})
	if err != nil {
		return o, err
	}
	if len(o.disturb) > 0 && !flags.Changed("slack") {
		// Apache closes a stream whose comet-fcgi was killed only after KeepAliveTimeout, 5 s by default.
		o.slack *= 2
	}
	if *with != "" {
		if o.with, err = launch.Parse(*with); err != nil {
			return o, fmt.Errorf("--with: %w", err)
		}
	}
	return o, o.check()
}

func (o options) check() error {
	switch {
	case len(o.waiters) == 0 || slices.Min(o.waiters) < 1:
		return errors.New("--waiters: give numbers from 1, separated by commas")
	case o.rounds < 1 || o.samples < 1:
		return errors.New("--rounds and --samples: give a number from 1")
	case o.streams < 0:
		return errors.New("--streams: give a number from 0")
	case o.window < 100*time.Millisecond || o.window > 30*time.Second: // nginx ends a poll after 75 s.
		return errors.New("--window: give a duration from 100ms to 30s")
	case o.mode == programsMode && o.with != "" && o.with != launch.Nginx:
		return fmt.Errorf("--with %s: give nginx, or add --servers or --soak", o.with)
	case o.only != "" && !slices.Contains(o.programs(), o.only):
		return fmt.Errorf("--only %s: give one of %v", o.only, o.programs())
	case o.mode == soakMode && o.store != "" && !slices.Contains(soak.Stores(), o.store):
		return fmt.Errorf("--store %s: give one of %v", o.store, soak.Stores())
	case o.mode == storeMode && o.store != "redis":
		return fmt.Errorf("--store %s: give redis", o.store)
	case o.plot != "" && !drawable(o.plot):
		return fmt.Errorf("--plot %s: give a file that ends in .svg", o.plot)
	case o.mode == soakMode && o.soak < 2*time.Second:
		return errors.New("--soak: give a duration from 2s")
	case o.pages != 0 && o.pages < 2:
		return errors.New("--pages: give a number from 2")
	case o.slack < 0:
		return errors.New("--slack: give a duration from 0s")
	}
	const proxied = 2 // A page takes a connection to a proxy, and another one from it.
	clients := map[string]int{"--waiters": slices.Max(o.waiters), "--streams": o.streams, "--pages": proxied * o.pages}
	for option, n := range clients {
		if err := o.checkFileLimit(option, n); err != nil {
			return err
		}
	}
	return nil
}

// checkFileLimit returns an error if a process may not have so many clients. A client takes two files of a
// web server, and one of the bench for each program.
func (o options) checkFileLimit(option string, clients int) error {
	const files, others = 2, 100
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return pkgerrors.Wrap(err, "reading the limit of open files")
	}
	if most := (min(limit.Max, 1<<20) - others) / files; uint64(clients) > most {
		return fmt.Errorf("%s %d: each takes %d open files, and a process may have %d here (ulimit -Hn): give at most %d",
			option, clients, files, limit.Max, most)
	}
	return nil
}

// programs returns the programs to compare.
func (o options) programs() []string {
	if o.baseline != "" {
		return []string{cometFCGI, baseline}
	}
	return []string{cometFCGI, plain}
}

func serverNames() string {
	var names []string
	for _, server := range launch.Servers() {
		names = append(names, string(server))
	}
	return strings.Join(names, ", ")
}
