package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/pflag"

	"novcomet/conf"
)

// options are those of the command line.
type options struct {
	config  string
	flags   map[string]string // the keys of comet.yaml that were given as flags
	version bool

	command     string // instead of serving; empty: none
	publication publishing
	check       checkFlags
}

// ofCommand says which command a flag is for alone.
var ofCommand = []struct{ flag, command string }{
	{"data", publishCommand}, {"wait", checkCommand}, {"event", checkCommand}, {"json", checkCommand},
	{"verbose", checkCommand},
}

var errHelp = pflag.ErrHelp

func parseOptions(args []string) (options, error) {
	o := options{flags: map[string]string{}}
	flags := flagSet(&o)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return o, errHelp
		}
		return o, fmt.Errorf("%w; --help lists the flags", err)
	}
	if arguments := flags.Args(); len(arguments) > 0 {
		o.command = arguments[0]
		var err error
		switch o.command {
		case publishCommand:
			err = o.publication.take(arguments[1:], flags)
		case checkCommand:
			err = o.check.parse(arguments[1:])
		default:
			err = fmt.Errorf("%q is not a command: give flags, publish ID or check; --help lists them", o.command)
		}
		if err != nil {
			return o, err
		}
	}
	for _, of := range ofCommand {
		if flags.Changed(of.flag) && of.command != o.command {
			return o, fmt.Errorf("--%s is for comet-fcgi %s", of.flag, of.command)
		}
	}
	if flags.Changed("config") && o.config == "" { // An empty variable in a script must not mean the defaults.
		return o, fmt.Errorf("--config: no file is named; %s means no file", os.DevNull)
	}
	if listen := flags.Lookup("listen"); listen.Changed {
		o.flags["listen"] = listen.Value.String()
	}
	return o, nil
}

func flagSet(o *options) *pflag.FlagSet {
	flags := pflag.NewFlagSet("comet-fcgi", pflag.ContinueOnError)
	flags.Usage = func() {}
	flags.StringVar(&o.config, "config", "", "read this `FILE`; /dev/null: none (default: comet.yaml beside the program, otherwise /etc/novcomet/comet.yaml)")
	flags.String("listen", "", "listen on this `ADDRESS`: "+conf.Allowed("listen"))
	flags.BoolVar(&o.version, "version", false, "print the version and end")
	o.publication.addTo(flags)
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
It also publishes, in the store of comet.yaml, and ends: comet-fcgi publish ID [--data FILE]
It examines an installation, and ends: comet-fcgi check http://localhost/comet.php

` + flagSet(new(options)).FlagUsages()
}

func versionText() string { return fmt.Sprintf("comet-fcgi %s (%s)", release(), runtime.Version()) }
