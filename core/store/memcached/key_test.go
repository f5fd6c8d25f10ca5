package memcached

import (
	"strings"
	"testing"
	"unicode/utf8"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
)

// Other programs make the same keys, so keys must not change.
func TestKeyOf_EncodesID(t *testing.T) {
	const hashed = "%sha256:2b4115a029ab615990dbb0f27184074bc3e46a08e7e65fe4098f3faba6f56187"
	for id, want := range map[string]string{
		"news":                   "novcomet:news",
		"a b":                    "novcomet:a%20b",
		"a%20b":                  "novcomet:a%2520b",
		" % ":                    "novcomet:%20%25%20",
		"ä\u00a0🎉":               "novcomet:ä\u00a0🎉",
		strings.Repeat("x", 200): "novcomet:" + strings.Repeat("x", 200),
		strings.Repeat(" ", 80):  "novcomet:" + strings.Repeat("%20", 80),
		strings.Repeat(" ", 200): "novcomet:" + hashed,
	} {
		if got := keyOf("novcomet:", coretest.MustID(id)); got != want {
			t.Errorf("%q: %q; want %q", id, got, want)
		}
	}
}

// No two events have the same key, and each key is valid.
func FuzzKeyOf(f *testing.F) {
	f.Add("news", "News")
	f.Add(" ", "%20")
	f.Add("%", "%25")
	f.Add("a b", "a%20b")
	f.Add(strings.Repeat(" ", 200), strings.Repeat(" ", 199)+"%")
	f.Add("%sha256:", "%25sha256:")
	f.Fuzz(func(t *testing.T, a, b string) {
		one, err := event.ParseID(a)
		if err != nil {
			return
		}
		other, err := event.ParseID(b)
		if err != nil {
			return
		}
		const prefix = "0123456789012345678901234567890123456789"
		key := keyOf(prefix, one)
		valid := len(key) <= maxKey && !strings.ContainsFunc(key, invalidInKey) && utf8.ValidString(key)
		if !valid || !strings.HasPrefix(key, prefix) {
			t.Errorf("%q has the invalid key %q", a, key)
		}
		if (key == keyOf(prefix, other)) != (one == other) {
			t.Errorf("%q and %q: the key of the first is %q", a, b, key)
		}
	})
}
