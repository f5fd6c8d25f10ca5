package core_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"novcomet/core"
)

// mayPublish asks the endpoint: what a pattern matches is what it lets through.
func mayPublish(t testing.TB, globs []string, user, id string) bool {
	t.Helper()
	patterns, err := core.ParsePatterns(globs)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := core.NewEndpoint(newMemory(), core.Settings{Access: &core.Access{Publish: patterns}, User: user})
	q := core.Query{Publish: mustID(t, id)}
	status, body := ask(t, endpoint, q.Encode())
	if status != 200 && (status != 403 || !strings.Contains(body, "is not allowed")) {
		t.Errorf("%q publishes %q: HTTP %d %s", user, id, status, body)
	}
	return status == 200
}

func TestAPatternMatchesTheWholeID(t *testing.T) {
	for _, test := range []struct {
		globs string // with spaces between; "": none
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
		{globs: "user:<user>:*", user: "ann", yes: "user:ann: user:ann:x", no: "user:bob:x user:anna:x user::x user:<user>:x"},
		{globs: "<user>", user: "ann", yes: "ann", no: "annx a"},
		{globs: "<user>-<user>", user: "a", yes: "a-a", no: "a-b"},
		{globs: "news <user>", user: "ann", yes: "news ann", no: "bob"},
		{globs: "news <user>", yes: "news", no: "ann <user>"},
		{globs: "user:<user>:*", no: "user::x user:<user>:x user:*:x"},
		{globs: "<user>*", no: "a x"},
		// The user's name is nothing but text.
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
		for id := range strings.FieldsSeq(test.yes) {
			if !mayPublish(t, strings.Fields(test.globs), test.user, id) {
				t.Errorf("%q for %q does not match %q", test.globs, test.user, id)
			}
		}
		for id := range strings.FieldsSeq(test.no) {
			if mayPublish(t, strings.Fields(test.globs), test.user, id) {
				t.Errorf("%q for %q matches %q", test.globs, test.user, id)
			}
		}
	}
}

func TestWhatIsNoPatternIsRefused(t *testing.T) {
	for _, glob := range []string{"", "[", "a[b", "a[]", `a\`, `\<user>`, "[<user>]", "a/b", "../*", "a\nb", "a\x00", "\xff"} {
		if _, err := core.ParsePatterns([]string{"news", glob}); !errors.Is(err, core.ErrPattern) || strings.ContainsAny(err.Error(), "\n\x00") {
			t.Errorf("%q: %v", glob, err)
		}
	}
}

// One that is not allowed is enough: a page must not believe to wait for what it will never hear.
func TestOneIDThatIsNotAllowedRefusesThePollAndIsNamed(t *testing.T) {
	patterns, err := core.ParsePatterns([]string{"news", "user:<user>:*"})
	if err != nil {
		t.Fatal(err)
	}
	endpoint := core.NewEndpoint(newMemory(), core.Settings{Access: &core.Access{Subscribe: patterns}, User: "ann"})
	if status, body := ask(t, endpoint, "subscribed[news]=now&subscribed[user:ann:1]=now"); status != 200 {
		t.Errorf("HTTP %d %s", status, body)
	}
	status, body := ask(t, endpoint, "subscribed[news]=now&subscribed[user:ann:1]=now&subscribed[user:bob:1]=now")
	if want := `{"error":"subscribing to \"user:bob:1\" is not allowed to \"ann\""}`; status != 403 || body != want {
		t.Errorf("HTTP %d %s; want 403 %s", status, body, want)
	}
	if status, body := ask(t, endpoint, "publish=anything"); status != 200 || body != "true" {
		t.Errorf("publishing is another matter: HTTP %d %s", status, body)
	}
}

// Whatever patterns say, nobody's name makes them match another's ids.
func FuzzPattern(f *testing.F) {
	for _, seed := range [][3]string{{"user:<user>:*", "ann", "user:bob:1"}, {"<user>*", "[", "a"}, {"*<user>", `\`, "é"}, {"a[b-<user>]", "z", "ac"}} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, glob, user, name string) {
		id, err := core.ParseID(name)
		if err != nil {
			return
		}
		patterns, err := core.ParsePatterns([]string{glob})
		if err != nil {
			return
		}
		endpoint := core.NewEndpoint(newMemory(), core.Settings{Access: &core.Access{Publish: patterns}, User: user})
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawQuery = core.Query{Publish: id}.Encode()
		endpoint.ServeHTTP(w, r)
		if w.Code == 200 && strings.Contains(glob, "<user>") && (user == "" || !strings.Contains(name, user)) {
			t.Errorf("%q lets %q publish %q", glob, user, name)
		}
	})
}
