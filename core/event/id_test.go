package event_test

import (
	"errors"
	"strings"
	"testing"

	"novcomet/core/event"
)

func TestParseID_AllowsEveryFileNameThatIsNotHidden(t *testing.T) {
	for _, name := range []string{
		"a", "news", "0", "a b", "a'b", `a"b`, "<b>", "a;b", "a[b", "a]b", "é", "日本語",
		"-rf", "~", "a..b", "a.", "*", `a\b`,
		strings.Repeat("x", event.MaxID), strings.Repeat("é", event.MaxID/2),
	} {
		if id, err := event.ParseID(name); err != nil || id.String() != name || id.IsZero() {
			t.Errorf("ParseID(%q) = %q, %v; want the same text", name, id, err)
		}
	}
}

func TestParseID_RejectsWhatLeavesTheDirectoryOrHides(t *testing.T) {
	for name, reason := range map[string]string{
		"":                                 "it is empty",
		".":                                "dot",
		"..":                               "dot",
		".hidden":                          "dot",
		"../etc/passwd":                    "dot",
		"a/b":                              `"/"`,
		"/etc/passwd":                      `"/"`,
		"a\x00b":                           "control",
		"a\nb":                             "control",
		"a\x7fb":                           "control",
		"a\u0085b":                         "control",
		"a\xffb":                           "UTF-8",
		strings.Repeat("x", event.MaxID+1): "201 bytes",
		strings.Repeat("é", event.MaxID):   "400 bytes",
		strings.Repeat("/", 8<<10) + "end": "8195 bytes",
	} {
		id, err := event.ParseID(name)
		if !errors.Is(err, event.ErrID) || !strings.Contains(err.Error(), reason) || !id.IsZero() {
			t.Errorf("ParseID(%.20q): %q, %v; want an error that contains %q", name, id, err, reason)
			continue
		}
		if text := err.Error(); len(text) > 400 || strings.ContainsAny(text, "\x00\n\x7f\u0085") {
			t.Errorf("ParseID(%.20q): the error has %d bytes or a control character: %q", name, len(text), text)
		}
	}
}
