package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"novcomet/conf"
)

// commandLine is the parsed command line.
type commandLine struct {
	config  string            // the settings file; "": the default
	keys    map[string]string // keys of comet.yaml that are given as flags
	version bool

	command string // publishCommand, checkCommand or "": serve
	publish publishFlags
	check   checkFlags
}

// commandOf lists the flags that belong to one command.
var commandOf = []struct{ flag, command string }{
	{"data", publishCommand}, {"wait", checkCommand}, {"socket", checkCommand}, {"event", checkCommand},
	{"json", checkCommand}, {"verbose", checkCommand},
}

func parseCommandLine(args []string) (commandLine, error) {
	c := commandLine{keys: map[string]string{}}
	flags := flagSet(&c)
	if err := flags.Parse(args); err != nil {
		return c, fmt.Errorf("%w; --help lists the flags", err)
	}
	if arguments := flags.Args(); len(arguments) > 0 {
		c.command = arguments[0]
		var err error
		switch c.command {
		case publishCommand:
			err = c.publish.parse(arguments[1:], flags)
		case checkCommand:
			err = c.check.parse(arguments[1:])
		default:
			err = fmt.Errorf("%q is not a command: give flags, publish ID or check; --help lists them", c.command)
		}
		if err != nil {
			return c, err
		}
	}
	for _, of := range commandOf {
		if flags.Changed(of.flag) && of.command != c.command {
			return c, fmt.Errorf("--%s is for comet-fcgi %s", of.flag, of.command)
		}
	}
	if flags.Changed("config") && c.config == "" { // An empty variable in a script must not mean the defaults.
		return c, fmt.Errorf("--config: no file is named; %s means no file", os.DevNull)
	}
	if flags.Changed("socket") && c.check.socket == "" { // Without --socket, check can succeed without one.
		return c, errors.New("check --socket: no address is given")
	}
	if listen := flags.Lookup("listen"); listen.Changed {
		c.keys["listen"] = listen.Value.String()
	}
	return c, nil
}

func flagSet(c *commandLine) *pflag.FlagSet {
	flags := pflag.NewFlagSet("comet-fcgi", pflag.ContinueOnError)
	flags.Usage = func() {}
	flags.StringVar(&c.config, "config", "", "read this `FILE`; /dev/null: none "+
		"(default: comet.yaml beside the program, otherwise /etc/novcomet/comet.yaml)")
	flags.String("listen", "", "listen on this `ADDRESS`: "+conf.Allowed("listen"))
	flags.BoolVar(&c.version, "version", false, "print the version and end")
	c.publish.addTo(flags)
	c.check.addTo(flags)
	flags.SortFlags = false
	return flags
}

func (c commandLine) source(environ []string) conf.Source {
	return conf.Source{File: c.config, Environ: environ, Flags: c.keys}
}

func usage() string {
	return `comet-fcgi is a FastCGI backend for nginx, Apache, lighttpd or Caddy. Its socket comes from the first of these:
  comet-fcgi --listen unix:/run/novcomet/comet.sock     (or --listen 127.0.0.1:9000)
  a systemd socket unit                                 (examples/systemd/)
  a listening socket on fd 0                            (spawn-fcgi, mod_fcgid, lighttpd)
  listen: unix:/run/novcomet/comet.sock                 (in comet.yaml)
To publish an event in the store of comet.yaml:  comet-fcgi publish ID [--data FILE]
To check the installation:                       comet-fcgi check http://localhost/comet.php

` + flagSet(new(commandLine)).FlagUsages()
}
