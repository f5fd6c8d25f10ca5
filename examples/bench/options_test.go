package main

import (
	"io"
	"strings"
	"testing"

	"novcomet/examples/internal/launch"
)

func TestParseOptions_RefusesWrongValues(t *testing.T) {
	for args, want := range map[string]string{
		"--waiters 0":                     "from 1",
		"--waiters 100000000":             "ulimit",
		"--rounds 0":                      "from 1",
		"--streams -1":                    "from 0",
		"--streams 100000000":             "ulimit",
		"--window 1h":                     "100ms to 30s",
		"--with iis":                      "nginx",
		"--with caddy":                    "--servers",
		"--only iis":                      "plain",
		"--only baseline":                 "plain",
		"--only plain --baseline /old":    "baseline",
		"--plot chart.png":                ".svg",
		"more":                            "--help",
		"--soak 1s":                       "from 2s",
		"--soak 0s":                       "from 2s",
		"--soak 2s --with iis":            "nginx",
		"--soak 2s --pages 1":             "from 2",
		"--soak 2s --pages 100000000":     "ulimit",
		"--soak 2s --slack -1s":           "0s",
		"--soak 2s --plot chart.svg":      "leave out",
		"--soak 2s --servers":             "leave out",
		"--soak 2s --store disk":          "redis-cluster",
		"--disturb all":                   "leave out",
		"--servers --with iis":            "--with",
		"--servers --samples 0":           "--samples",
		"--servers --only plain":          "leave out",
		"--servers --store redis":         "leave out",
		"--servers --baseline /old":       "leave out",
		"--store memcached":               "give redis",
		"--store redis --with nginx":      "leave out",
		"--store redis --only plain":      "leave out",
		"--pages 10":                      "--pages",
		"--store redis --plot chart.svg":  "leave out",
		"--streams 10 --servers":          "leave out",
		"--store redis --slack 1s":        "leave out",
		"--waiters 10 --rounds 1 --slack": "slack",
	} {
		_, err := parseOptions(strings.Fields(args), io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want an error with %q", args, err, want)
		}
	}
}

func TestParseOptions_TakesNamesOfWebServers(t *testing.T) {
	for name, want := range map[string]launch.Server{"nginx": launch.Nginx, "apache": launch.ApacheCGI} {
		o, err := parseOptions([]string{"--soak", "2s", "--with", name}, io.Discard)
		if err != nil || o.with != want {
			t.Errorf("--with %s: %q, %v; want %q", name, o.with, err, want)
		}
	}
}
