package memcached

import (
	"strings"
	"testing"
	"unicode/utf8"

	"novcomet/core"
)

// Other programs make the same keys, so they stay as they are.
func TestTheKeyOfAnEvent(t *testing.T) {
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
		if got := keyOf("novcomet:", parse(t, id)); got != want {
			t.Errorf("%q: %q; want %q", id, got, want)
		}
	}
}

// Two events never have one key, and memcached takes each.
func FuzzKey(f *testing.F) {
	f.Add("news", "News")
	f.Add(" ", "%20")
	f.Add("%", "%25")
	f.Add("a b", "a%20b")
	f.Add(strings.Repeat(" ", 200), strings.Repeat(" ", 199)+"%")
	f.Add("%sha256:", "%25sha256:")
	f.Fuzz(func(t *testing.T, a, b string) {
		one, err := core.ParseID(a)
		if err != nil {
			return
		}
		other, err := core.ParseID(b)
		if err != nil {
			return
		}
		const prefix = "0123456789012345678901234567890123456789"
		key := keyOf(prefix, one)
		if len(key) > maxKey || strings.ContainsFunc(key, notInKey) || !utf8.ValidString(key) || !strings.HasPrefix(key, prefix) {
			t.Errorf("%q: %q", a, key)
		}
		if (key == keyOf(prefix, other)) != (one == other) {
			t.Errorf("%q and %q: %q", a, b, key)
		}
	})
}

func parse(t testing.TB, name string) core.ID {
	t.Helper()
	id, err := core.ParseID(name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
