package access_test

import (
	"slices"
	"testing"

	"novcomet/core/access"
)

func TestParseList(t *testing.T) {
	for text, want := range map[string][]string{
		"a":          {"a"},
		"a,b":        {"a", "b"},
		" a b ,\tc ": {"a b", "c"},
		"none":       {},
		" none ":     {},
		"None":       {"None"},
		"none,a":     {"none", "a"},
	} {
		if got, err := access.ParseList(text); err != nil || got == nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", " ", ",", "a,", ",a", "a,,b", "a, ,b"} {
		if got, err := access.ParseList(text); err == nil {
			t.Errorf("%q: %q; want an error", text, got)
		}
	}
}
