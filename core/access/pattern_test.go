package access_test

import (
	"strings"
	"testing"

	"novcomet/core/access"
	"novcomet/core/event"
	"novcomet/core/internal/coretest"
)

func TestPatterns_MatchWholeIDs(t *testing.T) {
	for _, test := range []struct {
		globs string // separated by spaces
		user  string
		yes   string
		no    string
	}{
		{globs: "*", yes: "a é [x] a*b", user: "ann"},
		{globs: "", no: "a *", user: "ann"},
		{globs: "news", yes: "news", no: "new newss News xnews news*"},
		{globs: "chat-*", yes: "chat- chat-1 chat-1-2 chat-é", no: "chat Chat-1 xchat-1"},
		{globs: "a?c", yes: "abc aéc a?c", no: "ac abbc"},
		{globs: "a[0-9]", yes: "a0 a9", no: "a a10 ax"},
		{globs: "a[^0-9]", yes: "ax aé", no: "a a1"},
		{globs: `a\*b`, yes: "a*b", no: "axb ab"},
		{globs: "a b*", yes: "a b bc", no: "ab c"},
		{globs: "*a*b*c*", yes: "abc xaxbxcx", no: "acb"},
		{globs: "${user}", no: "ann", user: "ann"},
		{globs: "user:<user>:*", user: "ann", yes: "user:ann: user:ann:x", no: "user:bob:x user:anna:x user::x"},
		{globs: "user:<user>:*", user: "ann", no: "user:<user>:x"},
		{globs: "<user>", user: "ann", yes: "ann", no: "annx a"},
		{globs: "<user>-<user>", user: "a", yes: "a-a", no: "a-b"},
		{globs: "news <user>", user: "ann", yes: "news ann", no: "bob"},
		{globs: "news <user>", yes: "news", no: "ann <user>"},
		{globs: "user:<user>:*", no: "user::x user:<user>:x user:*:x"},
		{globs: "<user>*", no: "a x"},
		// Characters in the user's name have no special meaning.
		{globs: "user:<user>:*", user: "*", yes: "user:*:x", no: "user:bob:x"},
		{globs: "user:<user>:*", user: "b?b", yes: "user:b?b:x", no: "user:bob:x"},
		{globs: "user:<user>:*", user: "[a-z]ob", yes: "user:[a-z]ob:x", no: "user:bob:x"},
		{globs: "user:<user>:*", user: `\bob`, yes: `user:\bob:x`, no: "user:bob:x"},
		{globs: "user:<user>", user: `bob\`, yes: `user:bob\`, no: "user:bob"},
		{globs: "user:<user>:*", user: "<user>", yes: "user:<user>:x", no: "user:bob:x"},
		{globs: "user:<user>:*", user: "[", yes: "user:[:x", no: "user:bob:x"},
		{globs: "user:<user>*", user: "\xc3", no: "user:é"}, // the first half of é
		{globs: "user:<user>:*", user: "BOB", no: "user:bob:x"},
	} {
		matcher := coretest.Must(access.ParsePatterns(strings.Fields(test.globs))).For(test.user)
		for id := range strings.FieldsSeq(test.yes) {
			if !matcher.Match(coretest.MustID(id)) {
				t.Errorf("%q for user %q does not match %q", test.globs, test.user, id)
			}
		}
		for id := range strings.FieldsSeq(test.no) {
			if matcher.Match(coretest.MustID(id)) {
				t.Errorf("%q for user %q matches %q", test.globs, test.user, id)
			}
		}
	}
	if !(access.Patterns{}).For("").Match(coretest.MustID("a")) {
		t.Error("the zero Patterns do not match every id")
	}
}

func TestPatterns_ForAnyUserMatchEveryID(t *testing.T) {
	matcher := coretest.Must(access.ParsePatterns([]string{"news", "user:<user>:*"})).ForAnyUser()
	for id, want := range map[string]bool{
		"news": true, "user:ann:x": true, "user:*:": true, "user:a:b:c": true, "user:ann": false, "other": false,
	} {
		if matcher.Match(coretest.MustID(id)) != want {
			t.Errorf("%q matches: %v", id, !want)
		}
	}
	if !(access.Patterns{}).ForAnyUser().Match(coretest.MustID("a")) {
		t.Error("the zero Patterns do not match every id")
	}
}

func TestParsePatterns_RejectsGlobsThatMatchNoID(t *testing.T) {
	for _, glob := range []string{
		"", "[", "a[b", "a[]", `a\`, `\<user>`, "[<user>]", "a/b", "../*", "a\nb", "a\x00", "\xff",
	} {
		_, err := access.ParsePatterns([]string{"news", glob})
		if err == nil || strings.ContainsAny(err.Error(), "\n\x00") {
			t.Errorf("%q: %v", glob, err)
		}
	}
}

// No name makes a user's pattern match an id that does not contain the name.
func FuzzPattern(f *testing.F) {
	f.Add("user:<user>:*", "ann", "user:bob:1")
	f.Add("<user>*", "[", "a")
	f.Add("*<user>", `\`, "é")
	f.Add("a[b-<user>]", "z", "ac")
	f.Fuzz(func(t *testing.T, glob, user, name string) {
		id, err := event.ParseID(name)
		if err != nil {
			return
		}
		patterns, err := access.ParsePatterns([]string{glob})
		if err != nil || !strings.Contains(glob, "<user>") {
			return
		}
		if !patterns.For(user).Match(id) {
			return
		}
		if user == "" || !strings.Contains(name, user) {
			t.Errorf("%q for user %q matches %q", glob, user, name)
		}
		if !patterns.ForAnyUser().Match(id) {
			t.Errorf("%q for user %q matches %q, but not for any user", glob, user, name)
		}
	})
}
