package main

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/spf13/pflag"

	"novcomet/conf"
)

// options are those of the command line.
type options struct {
	config  string
	flags   map[string]string // the keys of comet.yaml that were given as flags
	version bool

	// Instead of serving:
	publishes bool
	event     string
	checks    bool
	check     checking
}

var errHelp = pflag.ErrHelp

const publishing = "publish" // the command, before the event

func parseOptions(args []string) (options, error) {
	o := options{flags: map[string]string{}}
	flags := flagSet(&o)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return o, errHelp
		}
		return o, fmt.Errorf("%w; --help lists what there is", err)
	}
	switch arguments := flags.Args(); {
	case len(arguments) == 2 && arguments[0] == publishing:
		o.publishes, o.event = true, arguments[1]
	case len(arguments) > 0 && arguments[0] == publishing:
		return o, errors.New("publish takes one event: comet-fcgi publish ID")
	case len(arguments) > 0 && arguments[0] == checkCommand:
		o.checks = true
		if err := o.check.take(arguments[1:]); err != nil {
			return o, err
		}
	case len(arguments) > 0:
		return o, fmt.Errorf("%q: there are no arguments besides flags, publish ID and check; --help lists them", arguments[0])
	}
	if only := o.check.only(flags); only != "" && !o.checks {
		return o, fmt.Errorf("--%s is for comet-fcgi check", only)
	}
	if listen := flags.Lookup("listen"); listen.Changed {
		o.flags["listen"] = listen.Value.String()
	}
	return o, nil
}

func flagSet(o *options) *pflag.FlagSet {
	flags := pflag.NewFlagSet("comet-fcgi", pflag.ContinueOnError)
	flags.Usage = func() {}
	flags.StringVar(&o.config, "config", "", "read this `FILE` (default: comet.yaml beside the program, else /etc/novcomet/comet.yaml)")
	flags.String("listen", "", "listen on this `ADDRESS`: unix:/run/novcomet/comet.sock or 127.0.0.1:9000")
	flags.BoolVar(&o.version, "version", false, "print the version and end")
	o.check.addTo(flags)
	flags.SortFlags = false
	return flags
}

func (o options) source(environ []string) conf.Source {
	return conf.Source{File: o.config, Environ: environ, Flags: o.flags}
}

func usage() string {
	return `comet-fcgi is a FastCGI backend: nginx, Apache, lighttpd or Caddy ask it. Its socket comes from the first of these:
  comet-fcgi --listen unix:/run/novcomet/comet.sock     (or --listen 127.0.0.1:9000)
  a systemd socket unit                                 (examples/systemd/)
  a listening socket on fd 0                            (spawn-fcgi, mod_fcgid, lighttpd)
  listen: unix:/run/novcomet/comet.sock                 (in comet.yaml)
It also publishes, in the store of comet.yaml, and ends: comet-fcgi publish ID
And it looks at whether all is right, and ends: comet-fcgi check http://localhost/comet.php

` + flagSet(new(options)).FlagUsages()
}

func versionText() string { return fmt.Sprintf("comet-fcgi %s (%s)", release(), runtime.Version()) }
