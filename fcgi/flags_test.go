package main

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"novcomet/core/servertest"
)

func TestCommandLine_IsAnswered(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name           string
		args           []string
		status         int
		stdout, stderr string
	}{
		{"version", []string{"--version"}, 0, "comet-fcgi ", ""},
		{"help", []string{"--help"}, 0, "--config FILE", ""},
		{"the short form of help", []string{"-h"}, 0, "--listen ADDRESS", ""},
		{"an unknown command", []string{"start"}, 2, "", `"start"`},
		{"an unknown flag", []string{"--port=80"}, 2, "", "--port"},
		{"a flag without its value", []string{"--listen"}, 2, "", "--listen"},
		{"an invalid address", []string{"--listen", "comet.sock"}, 1, "",
			`flag --listen: listen: "comet.sock" is not allowed`},
		{"an empty file name", []string{"--config", ""}, 2, "", "--config: no file is named; /dev/null means no file"},
		{"a second URL", []string{"check", "http://localhost/", "more"}, 2, "", `"more"`},
		{"a URL without http", []string{"check", "localhost"}, 2, "", "http://localhost/comet.php"},
		{"a socket without an address", []string{"check", "--socket", ""}, 2, "", "no address is given"},
		{"a socket and a URL", []string{"check", "--socket", "127.0.0.1:1", "http://localhost/"}, 2, "", "takes no URL"},
		{"an invalid event", []string{"check", "--event", "../x", "http://localhost/"}, 2, "", "../x"},
		{"an invalid duration", []string{"check", "--wait", "soon"}, 2, "", "--wait"},
		{"a flag of check without it", []string{"--verbose"}, 2, "", "--verbose is for comet-fcgi check"},
		{"a flag of another command", []string{"publish", "a", "--event=b"}, 2, "", "--event is for comet-fcgi check"},
		{"a flag of publish without it", []string{"--data", "/dev/null"}, 2, "", "--data is for comet-fcgi publish"},
		{"publish without an event", []string{"publish"}, 2, "", "publish ID"},
		{"publish with two events", []string{"publish", "a", "b"}, 2, "", "publish ID"},
		{"a command in capitals", []string{"Publish", "a"}, 2, "", `"Publish"`},
		{"a missing file", []string{"--config", "/nonexistent/comet.yaml"}, 1, "",
			"--config: configuration: open /nonexistent/comet.yaml"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, t.TempDir(), startOptions{args: test.args})
			p.wantExit(test.status)
			wantOnly(t, p.stdout, test.stdout)
			if wantOnly(t, p.stderr, test.stderr); test.stderr != "" {
				wantLine(t, p.stderr.String())
			}
		})
	}
	t.Run("no socket", func(t *testing.T) {
		t.Parallel()
		p := start(t, t.TempDir(), startOptions{})
		p.wantExit(2, "comet-fcgi: no socket to listen on\n", "--listen", "systemd", "fd 0", "comet.yaml")
		wantOnly(t, p.stdout, "")
	})
}

// wantOnly checks that the output has the text. If the text is empty, there must be no output.
func wantOnly(t *testing.T, o *servertest.Output, text string) {
	t.Helper()
	if text == "" && o.String() != "" {
		t.Errorf("unexpected output: %s", o)
	}
	wantText(t, o.String(), text)
}

// pflag takes the name of a value out of the usage text, and prints the rest of the text after the name.
func TestUsage_NamesTheValueOfEachFlag(t *testing.T) {
	t.Parallel()
	flagSet(new(commandLine)).VisitAll(func(f *pflag.Flag) {
		name, usage := pflag.UnquoteUsage(f)
		after := usage[strings.Index(usage, name)+len(name):]
		if name != "" && after != "" && !strings.ContainsAny(after[:1], " ,;:") {
			t.Errorf("--%s %s: %s", f.Name, name, usage)
		}
	})
}
