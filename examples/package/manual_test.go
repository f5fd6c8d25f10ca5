package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestManual_RendersWithoutWarnings(t *testing.T) {
	_, dir := shell(t, `dpkg-deb -x "$1" .`, one(t, "*_amd64.deb"))
	for page, words := range map[string]string{
		"man1/comet-fcgi.1": "--listen ADDRESS", "man8/comet.cgi.8": "a web server starts it",
		"man5/comet.yaml.5": "stream.comment: 20",
	} {
		path := filepath.Join(dir, "usr/share/man", page+".gz")
		warnings, _ := shell(t, `LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z "$1" 2>&1 >/dev/null`, path)
		if warnings != "" {
			t.Errorf("%s: %s", page, warnings)
		}
		text, _ := shell(t, `LC_ALL=C.UTF-8 MANWIDTH=100 man -l "$1"`, path)
		for _, want := range []string{words, "NovComet " + version, "NAME\n", "FILES\n", "SEE ALSO\n"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not have %q: %s", page, want, text)
			}
		}
	}
}

func TestRoff_EscapesWhatIsAMacro(t *testing.T) {
	p := &roff{}
	p.text(`.comet 'a\b -c`)
	p.text(`'x`)
	p.macro(".SH", `"a" -b`)
	if got, want := p.String(), "\\&.comet 'a\\eb \\-c\n\\&'x\n.SH \"\\(dqa\\(dq \\-b\"\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSettings_RefusesWhatIsNoSettingsFile(t *testing.T) {
	for _, yaml := range []string{
		"# a\n\n# b\nc: 1\nd", "# a\nb: 1\n", "# a\n\n# b\n", "# a\n\n- b\n",
	} {
		if err := (&roff{}).settings(yaml); err == nil {
			t.Errorf("%q: no error", yaml)
		}
	}
	p := &roff{}
	err := p.settings("# a\n\n# b\nc:\n  # d\n  e: 1\n")
	if want := ".SH \"DESCRIPTION\"\na\n.SH \"SETTINGS\"\n.TP\nc:\nb\n.TP\nc.e: 1\nd\n"; err != nil || p.String() != want {
		t.Errorf("%q, %v; want %q", p.String(), err, want)
	}
}
