package core_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

const secret = "0123456789abcdef0123456789abcdef"

// sign makes a token as the README tells an application to.
func sign(secret string, expiry any, pattern string) string {
	h := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(h, "%v\n%s", expiry, pattern)
	return fmt.Sprintf("%v.%x.%s", expiry, h.Sum(nil), pattern)
}

// signed is an endpoint where ids that match private-* need a token.
func signed(t testing.TB, secrets ...string) *core.Endpoint {
	t.Helper()
	s, err := core.NewSigned([]string{"private-*", "secret"}, secrets)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := core.NewEndpoint(newMemory(), core.Settings{Access: &core.Access{Signed: s}})
	endpoint.Log = discard
	return endpoint
}

func tokens(tokens ...string) string {
	var query strings.Builder
	for _, token := range tokens {
		query.WriteString("&token=" + url.QueryEscape(token))
	}
	return query.String()
}

func TestASignedEventNeedsATokenForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		later, past := time.Now().Add(time.Hour).Unix(), time.Now().Add(-time.Hour).Unix()
		const old, other = "an-old-secret-that-is-still-valid", "a-secret-that-is-not-known-to-it!"
		endpoint := signed(t, secret, old)
		good := sign(secret, later, "private-1*")
		for _, test := range []struct {
			name, query string
			says        string // "": it is answered
		}{
			{"no token for an event that needs none", "subscribed[news]=now", ""},
			{"nonsense for an event that needs none", "subscribed[news]=now&token=nonsense", ""},
			{"none", "subscribed[private-1]=now", "send token="},
			{"an empty one", "subscribed[private-1]=now&token=", "send token="},
			{"none among others that need none", "subscribed[news]=now&subscribed[private-1]=now", `"private-1"`},
			{"a good one", "subscribed[private-1]=now" + tokens(good), ""},
			{"a good one, for what its pattern matches", "subscribed[private-12]=now&subscribed[private-1]=now" + tokens(good), ""},
			{"in large digits", "subscribed[private-1]=now" + tokens(strings.Replace(good, strings.Split(good, ".")[1], strings.ToUpper(strings.Split(good, ".")[1]), 1)), ""},
			{"of a secret that is on its way out", "subscribed[private-1]=now" + tokens(sign(old, later, "private-1")), ""},
			{"of a secret that it does not know", "subscribed[private-1]=now" + tokens(sign(other, later, "private-1")), "not signed"},
			{"for another id", "subscribed[private-2]=now" + tokens(good), "none of those that came is for it"},
			{"for one of two", "subscribed[private-1]=now&subscribed[private-2]=now" + tokens(good), `"private-2"`},
			{"two for two", "subscribed[private-1]=now&subscribed[private-2]=now" + tokens(good, sign(secret, later, "private-2")), ""},
			{"a good one after nonsense", "subscribed[private-1]=now" + tokens("nonsense", good), ""},
			{"for everything", "subscribed[private-1]=now&subscribed[secret]=now" + tokens(sign(secret, later, "*")), ""},
			{"with points in its pattern", "subscribed[private-1.5.x]=now" + tokens(sign(secret, later, "private-1.5.*")), ""},
			{"the star is the star where it is escaped", "subscribed[private-1]=now" + tokens(sign(secret, later, `private-\*`)), "none of those that came is for it"},
			{"expired", "subscribed[private-1]=now" + tokens(sign(secret, past, "private-1")), "was valid until 1999-12-31T23:00:00Z"},
			{"expires this second", "subscribed[private-1]=now" + tokens(sign(secret, time.Now().Unix(), "private-1")), "was valid until"},
			{"expires in the next", "subscribed[private-1]=now" + tokens(sign(secret, time.Now().Unix()+1, "private-1")), ""},
			{"expired, and a good one", "subscribed[private-1]=now" + tokens(sign(secret, past, "private-1"), good), ""},
			{"expired, with the expiry moved", "subscribed[private-1]=now" + tokens(strings.Replace(sign(secret, past, "private-1"), fmt.Sprint(past), fmt.Sprint(later), 1)), "not signed"},
			{"with another pattern put in", "subscribed[private-2]=now" + tokens(strings.Replace(good, "private-1*", "private-2", 1)), "not signed"},
			{"with the line feed moved", "subscribed[private-1]=now" + tokens(sign(secret, later, "5\nprivate-1")), "none of those that came is for it"},
			{"a time beyond all times", "subscribed[private-1]=now" + tokens(sign(secret, "99999999999999999999", "private-1")), "not signed"},
			{"a time far ahead", "subscribed[private-1]=now" + tokens(sign(secret, "999999999999999", "private-1")), ""},
			{"a time with a sign", "subscribed[private-1]=now" + tokens(sign(secret, "+999999999999", "private-1")), "not signed"},
			{"no time", "subscribed[private-1]=now" + tokens(sign(secret, "", "private-1")), "not signed"},
			{"a pattern that is none", "subscribed[private-1]=now" + tokens(sign(secret, later, "[")), "not signed"},
			{"<user> is nobody in a token", "subscribed[private-1]=now" + tokens(sign(secret, later, "<user>")), "none of those that came is for it"},
			{"no pattern", "subscribed[private-1]=now" + tokens(sign(secret, later, "")), "none of those that came is for it"},
			{"the signature alone", "subscribed[private-1]=now" + tokens(strings.Split(good, ".")[1]), "not signed"},
			{"without its signature", "subscribed[private-1]=now" + tokens(fmt.Sprintf("%d..private-1", later)), "not signed"},
			{"half a digit more", "subscribed[private-1]=now" + tokens(strings.Replace(good, ".private", "0.private", 1)), "not signed"},
			{"a hundred", "subscribed[private-1]=now" + tokens(append(make99(), good)...), ""},
		} {
			status, body := ask(t, endpoint, test.query)
			want := 403
			if test.says == "" {
				want = 200
			}
			if status != want || !strings.Contains(strings.ReplaceAll(body, `\"`, `"`), test.says) {
				t.Errorf("%s: HTTP %d %s; want %d %q", test.name, status, body, want, test.says)
			}
		}
		if status, body := ask(t, endpoint, "subscribed[a]=now"+tokens(append(make99(), good, good)...)); status != 400 || !strings.Contains(body, "100 tokens") {
			t.Errorf("one more: HTTP %d %s; want 400 that names the limit", status, body)
		}
	})
}

func make99() []string { return strings.Split(strings.Repeat("nonsense ", 99)[:99*9-1], " ") }

// hmac.Equal takes the same time whatever the first wrong digit is; and whichever it is, the token is refused, without a word on
// the right one.
func TestATokenWithAnyOtherByteOrAnyEndIsRefused(t *testing.T) {
	endpoint := signed(t, secret)
	good := sign(secret, 4_000_000_000, "private-1")
	if status, body := ask(t, endpoint, "subscribed[private-1]=0.0"+tokens(good)); status != 200 {
		t.Fatalf("HTTP %d %s", status, body)
	}
	for i := range good {
		changed := []byte(good)
		changed[i] ^= 1
		for _, bad := range []string{string(changed), good[:i]} {
			status, body := ask(t, endpoint, "subscribed[private-1]=0.0"+tokens(bad))
			if status != 403 || strings.Contains(body, secret) || strings.Contains(body, good[11:75]) {
				t.Errorf("%q: HTTP %d %s; want 403", bad, status, body)
			}
		}
	}
}

func TestWithoutASecretNoTokenIsGood(t *testing.T) {
	endpoint := signed(t)
	for _, token := range []string{sign("", 4_000_000_000, "private-1"), sign(secret, 4_000_000_000, "private-1")} {
		if status, body := ask(t, endpoint, "subscribed[private-1]=now"+tokens(token)); status != 403 {
			t.Errorf("HTTP %d %s; want 403", status, body)
		}
	}
}

// A token lets in; what it let in waits its time out.
func TestATokenThatExpiresWhileItsPollWaitsEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		s, err := core.NewSigned([]string{"*"}, []string{secret})
		if err != nil {
			t.Fatal(err)
		}
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 20, Sleep: time.Second, Access: &core.Access{Signed: s}})
		query := "subscribed[a]=now" + tokens(sign(secret, time.Now().Add(5*time.Second).Unix(), "a"))
		go func() {
			time.Sleep(10 * time.Second)
			store.set(t, "a", time.Now())
		}()
		if status, body := ask(t, endpoint, query); status != 200 || !strings.Contains(body, `{"s":1`) {
			t.Errorf("HTTP %d %s", status, body)
		}
		if status, _ := ask(t, endpoint, query); status != 403 {
			t.Errorf("the next poll: HTTP %d; want 403", status)
		}
	})
}

// It needs what allow says as well as a token.
func TestATokenDoesNotAllowWhatAllowDoesNot(t *testing.T) {
	news, err := core.ParsePatterns([]string{"news"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := core.NewSigned([]string{"*"}, []string{secret})
	if err != nil {
		t.Fatal(err)
	}
	endpoint := core.NewEndpoint(newMemory(), core.Settings{Access: &core.Access{Subscribe: news, Signed: s}})
	all := tokens(sign(secret, 4_000_000_000, "*"))
	if status, _ := ask(t, endpoint, "subscribed[news]=now"+all); status != 200 {
		t.Errorf("news: HTTP %d", status)
	}
	if status, _ := ask(t, endpoint, "subscribed[private]=now"+all); status != 403 {
		t.Errorf("private: HTTP %d; want 403", status)
	}
}

func TestWhatCanNotBeSignedIsRefused(t *testing.T) {
	for _, test := range []struct {
		globs, secrets []string
		want           error
	}{
		{[]string{"user:<user>:*"}, []string{secret}, core.ErrSigned},
		{[]string{"["}, []string{secret}, core.ErrPattern},
		{[]string{"a"}, []string{secret[1:]}, core.ErrSigned},
		{[]string{"a"}, []string{secret, ""}, core.ErrSigned},
		{[]string{"a"}, []string{secret + "\x00"}, core.ErrSigned},
	} {
		if _, err := core.NewSigned(test.globs, test.secrets); !errors.Is(err, test.want) || strings.Contains(err.Error(), secret[1:]) {
			t.Errorf("%q: %v", test.globs, err)
		}
	}
}

// Whatever comes as a token, only what was signed opens anything.
func FuzzToken(f *testing.F) {
	endpoint := signed(f, secret)
	good := sign(secret, 4_000_000_000, "private-*")
	for _, seed := range []string{good, good[:40], "4000000000.." + "private-1", "1." + hex.EncodeToString(make([]byte, 32)) + ".*", "...", "-1.00.*", good + "\n", strings.ToUpper(good)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		status, body := ask(t, endpoint, "subscribed[private-1]=0.0"+tokens(token))
		expiry, rest, _ := strings.Cut(token, ".")
		signature, pattern, _ := strings.Cut(rest, ".")
		if status == 200 && sign(secret, expiry, pattern) != expiry+"."+strings.ToLower(signature)+"."+pattern {
			t.Errorf("%q: HTTP %d %s", token, status, body)
		}
		if status != 200 && status != 403 || strings.Contains(body, secret) {
			t.Errorf("%q: HTTP %d %s", token, status, body)
		}
	})
}
