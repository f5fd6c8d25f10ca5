package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"novcomet/core/event"
)

// nested returns JSON of an even number of levels.
func nested(levels int) string {
	return strings.Repeat(`{"a":[`, levels/2) + strings.Repeat(`]}`, levels/2)
}

func TestEncodeData(t *testing.T) {
	manyValues := "[" + strings.Repeat("[],", 1000) + "[]]"
	quotedBrackets := `["` + strings.Repeat(`[\"{`, 1000) + `"]`
	for _, test := range []struct{ name, data, want string }{
		{"JSON keeps its numbers", `{"build": "green", "n": 1.50}`, `{"build":"green","n":1.50}`},
		{"a number", "42", "42"},
		{"null", "null", "null"},
		{"the newline of echo is dropped", "[1]\n", "[1]"},
		{"JSON of several lines becomes one", "{\n\t\"a\": [\n1]\n}\n", `{"a":[1]}`},
		{"text becomes a string", "hello\n", `"hello"`},
		{"only one newline is dropped", "hello\n\n", `"hello\n"`},
		{"quotes in a text", `say "hello"`, `"say \"hello\""`},
		{"JSON that breaks off is text", `{"a":`, `"{\"a\":"`},
		{"two JSON texts are text", `{}{}`, `"{}{}"`},
		{"text that looks like the end of an answer", `1},"s":0`, `"1},\"s\":0"`},
		{"UTF-8", "Grüße", `"Grüße"`},
		{"empty", "", ""},
		{"a newline", "\n", ""},
		{"white space", " \t\n", ""},
		{"100 levels", nested(event.MaxDepth), nested(event.MaxDepth)},
		{"many values side by side", manyValues, manyValues},
		{"brackets in a string", quotedBrackets, quotedBrackets},
		{"brackets in text", strings.Repeat("(:[", 200), `"` + strings.Repeat("(:[", 200) + `"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, err := event.EncodeData([]byte(test.data)); err != nil || string(got) != test.want {
				t.Errorf("%s, %v; want %s", got, err, test.want)
			}
		})
	}
}

func TestEncodeData_RejectsWhatABrowserCannotRead(t *testing.T) {
	for _, test := range []struct{ name, data, want string }{
		{"102 levels", nested(event.MaxDepth + 2), "deeper than 100 levels"},
		{"more levels than encoding/json reads", nested(20_000), "deeper than 100 levels"},
		{"gzip", "\x1f\x8b\x08\x00", "not UTF-8"},
		{"Latin-1", "Gr\xfc\xdfe", "not UTF-8"},
		{"UTF-16", "\xff\xfe1\x00", "not UTF-8"},
		{"JSON with an invalid byte", "{\"a\":\"\x80\"}", "not UTF-8"},
	} {
		got, err := event.EncodeData([]byte(test.data))
		if err == nil || !strings.Contains(err.Error(), test.want) || got != nil ||
			errors.Is(err, event.ErrNotText) != (test.want == "not UTF-8") {
			t.Errorf("%s: %s, %v; want an error that contains %q", test.name, got, err, test.want)
		}
	}
}

func TestEncodeLines(t *testing.T) {
	for data, want := range map[string]string{
		"<p>a</p>":             "<p>a</p>",
		"a\n":                  "a",
		"a\n\n":                "a|",
		"\na":                  "|a",
		"a\r\nb\rc\nd\n\re":    "a|b|c|d||e",
		"  a\u2028b\u0085\v c": "  a\u2028b\u0085\v c", // not line ends of Server-Sent Events
		"{\"n\": [\n1]}":       "{\"n\": [|1]}",
		"id: 1\nevent: x":      "id: 1|event: x",
	} {
		want = strings.ReplaceAll(want, "|", "\ndata: ")
		if got := event.EncodeLines([]byte(data)); string(got) != want {
			t.Errorf("%q: %q; want %q", data, got, want)
		}
	}
}

// Encoded data is put into answers and streams as it is: it must be one value on one line.
func FuzzEncodeData(f *testing.F) {
	for _, seed := range []string{`{"a":[1]}`, "text\n", `1},"s":0`, "\u2028", "{\n}", nested(102), "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := event.EncodeData(data)
		if err != nil || got == nil {
			return
		}
		if !json.Valid(got) || bytes.ContainsAny(got, "\r\n") {
			t.Errorf("EncodeData(%q) = %q", data, got)
		}
	})
}
