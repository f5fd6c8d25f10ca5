package core_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"novcomet/core"
)

func TestAnIDIsAFileNameThatCannotLeaveItsDirectory(t *testing.T) {
	for _, name := range []string{
		"a", "news", "0", "a b", "a'b", `a"b`, "<b>", "a;b", "a[b", "a]b", "é", "日本語", "-rf", "~", "a..b", "a.", "*", "a\\b",
		strings.Repeat("x", core.MaxID), strings.Repeat("é", core.MaxID/2),
	} {
		if id, err := core.ParseID(name); err != nil || id.String() != name {
			t.Errorf("ParseID(%q) = %q, %v; want it as it is", name, id, err)
		}
	}
	for name, reason := range map[string]string{
		"":                                 "empty",
		".":                                "dot",
		"..":                               "dot",
		".hidden":                          "dot",
		"../etc/passwd":                    "dot",
		"a/b":                              "/",
		"/etc/passwd":                      "/",
		"a\x00b":                           "control",
		"a\nb":                             "control",
		"a\x7fb":                           "control",
		"a\u0085b":                         "control",
		"a\xffb":                           "UTF-8",
		strings.Repeat("x", core.MaxID+1):  "201 bytes",
		strings.Repeat("é", core.MaxID):    "400 bytes",
		strings.Repeat("/", 8<<10) + "end": "8195 bytes",
	} {
		_, err := core.ParseID(name)
		if !errors.Is(err, core.ErrID) || !strings.Contains(err.Error(), reason) {
			t.Errorf("ParseID(%.20q): %v; want an error about %q", name, err, reason)
			continue
		}
		if len(err.Error()) > 400 {
			t.Errorf("ParseID(%.20q): the error has %d bytes", name, len(err.Error()))
		}
	}
}

func TestAStampIsMicrosecondsAndNeverZeroForATime(t *testing.T) {
	for _, test := range []struct {
		at     time.Time
		stamp  core.Stamp
		text   string
		second int64
	}{
		{time.Unix(1763800000, 123456789), 1763800000123456, "1763800000.123456", 1763800000},
		{time.Unix(1763800000, 999), 1763800000000000, "1763800000.000000", 1763800000},
		{time.Unix(0, 0), 1, "0.000001", 0},
		{time.Unix(-5, 0), 1, "0.000001", 0},
	} {
		stamp := core.StampOf(test.at)
		if stamp != test.stamp || stamp.String() != test.text || stamp.Second() != test.second {
			t.Errorf("StampOf(%v) = %d, %q, second %d; want %d, %q, %d",
				test.at, stamp, stamp, stamp.Second(), test.stamp, test.text, test.second)
		}
	}
}
