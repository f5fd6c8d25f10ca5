package access_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"novcomet/core/access"
	"novcomet/core/event"
	"novcomet/core/internal/coretest"
)

const secret = coretest.Secret

var sign = coretest.Token

func newSigned(secrets ...string) access.Signed {
	return coretest.Must(access.NewSigned([]string{"private-*", "secret"}, secrets))
}

func subscriptions(names string) (all []event.Subscription) {
	for name := range strings.FieldsSeq(names) {
		all = append(all, event.Subscription{ID: coretest.MustID(name)})
	}
	return all
}

func TestSigned_NeedATokenForEachID(t *testing.T) {
	now := time.Unix(1_000_000_000, 0)
	later, past := now.Unix()+3600, now.Unix()-3600
	const old, other = "an-old-secret-that-is-still-valid", "a-secret-that-it-does-not-know-of"
	good := sign(secret, later, "private-1*")
	signature := strings.Split(good, ".")[1]
	signed := func(expiry any, pattern string) []string { return []string{sign(secret, expiry, pattern)} }
	changed := func(token, old, new string) []string { return []string{strings.Replace(token, old, new, 1)} }
	for _, test := range []struct {
		name, ids string
		tokens    []string
		reason    string // why the last id is denied; "": all are allowed
	}{
		{"an id that needs none, without a token", "news", nil, ""},
		{"an id that needs none, with nonsense", "news", []string{"nonsense"}, ""},
		{"no token", "private-1", nil, "send token="},
		{"one id of several needs a token", "news private-1", nil, "send token="},
		{"a valid token", "private-1", []string{good}, ""},
		{"a token for all ids of its pattern", "private-12 private-1", []string{good}, ""},
		{"capital digits", "private-1", changed(good, signature, strings.ToUpper(signature)), ""},
		{"the old secret", "private-1", []string{sign(old, later, "private-1")}, ""},
		{"an unknown secret", "private-1", []string{sign(other, later, "private-1")}, "not signed"},
		{"another id", "private-2", []string{good}, "none of the tokens is for it"},
		{"one of two ids", "private-1 private-2", []string{good}, "none of the tokens"},
		{"two tokens for two ids", "private-1 private-2", []string{good, sign(secret, later, "private-2")}, ""},
		{"a valid token after nonsense", "private-1", []string{"nonsense", good}, ""},
		{"a token for everything", "private-1 secret", signed(later, "*"), ""},
		{"points in the pattern", "private-1.5.x", signed(later, "private-1.5.*"), ""},
		{"an escaped star", "private-1", signed(later, `private-\*`), "none of the tokens"},
		{"expired", "private-1", signed(past, "private-1"), "was valid until 2001-09-09T00:46:40Z"},
		{"expires this second", "private-1", signed(now.Unix(), "private-1"), "was valid until"},
		{"expires in the next second", "private-1", signed(now.Unix()+1, "private-1"), ""},
		{"an expired and a valid token", "private-1", append(signed(past, "private-1"), good), ""},
		{"a changed expiry", "private-1",
			changed(sign(secret, past, "private-1"), fmt.Sprint(past), fmt.Sprint(later)), "not signed"},
		{"a changed pattern", "private-2", changed(good, "private-1*", "private-2"), "not signed"},
		{"a moved line feed", "private-1", signed(later, "5\nprivate-1"), "none of the tokens"},
		{"an expiry beyond 64 bits", "private-1", signed("99999999999999999999", "private-1"), "not signed"},
		{"an expiry in millions of years", "private-1", signed("999999999999999", "private-1"), ""},
		{"an expiry with a sign", "private-1", signed("+999999999999", "private-1"), "not signed"},
		{"no expiry", "private-1", signed("", "private-1"), "not signed"},
		{"an invalid pattern", "private-1", signed(later, "["), "not signed"},
		{"<user> in a token", "private-1", signed(later, "<user>"), "none of the tokens"},
		{"no pattern", "private-1", signed(later, ""), "none of the tokens"},
		{"a signature alone", "private-1", []string{signature}, "not signed"},
		{"no signature", "private-1", []string{fmt.Sprintf("%d..private-1", later)}, "not signed"},
		{"an additional digit", "private-1", changed(good, ".private", "0.private"), "not signed"},
	} {
		asked := subscriptions(test.ids)
		id, reason := newSigned(secret, old).Denied(asked, test.tokens, now)
		want := event.ID{}
		if test.reason != "" {
			want = asked[len(asked)-1].ID
		}
		if !strings.Contains(reason, test.reason) || (reason == "") != (test.reason == "") || id != want {
			t.Errorf("%s: %q denied: %q; want %q: %q", test.name, id, reason, want, test.reason)
		}
	}
}

// The reason contains neither the secret nor the right signature.
func TestSigned_DenyATokenWithAnyOtherByteOrLength(t *testing.T) {
	signed, asked := newSigned(secret), subscriptions("private-1")
	good := sign(secret, 4_000_000_000, "private-1")
	if _, reason := signed.Denied(asked, []string{good}, time.Now()); reason != "" {
		t.Fatal(reason)
	}
	for i := range good {
		changed := []byte(good)
		changed[i] ^= 1
		for _, bad := range []string{string(changed), good[:i]} {
			_, reason := signed.Denied(asked, []string{bad}, time.Now())
			if reason == "" || strings.Contains(reason, secret) || strings.Contains(reason, good[11:75]) {
				t.Errorf("%q: %q", bad, reason)
			}
		}
	}
}

func TestSigned_WithoutASecretDenyEveryToken(t *testing.T) {
	for _, secret := range []string{"", secret} {
		token := sign(secret, 4_000_000_000, "private-1")
		if _, reason := newSigned().Denied(subscriptions("private-1"), []string{token}, time.Now()); reason == "" {
			t.Errorf("%q is allowed", token)
		}
	}
}

func TestSigned_AreFormattedWithoutSecrets(t *testing.T) {
	rules := access.Rules{Signed: newSigned(secret)}
	for _, format := range []string{"%v", "%+v", "%#v"} {
		text := fmt.Sprintf(format, rules)
		if strings.Contains(text, secret) || strings.Contains(text, strings.Trim(fmt.Sprint([]byte(secret)), "[]")) {
			t.Errorf("%s: %s", format, text)
		}
	}
}

func TestNewSigned_RejectsUsersAndShortSecrets(t *testing.T) {
	for _, test := range []struct {
		glob    string
		secrets []string
		want    string // a part of the error
	}{
		{"user:<user>:*", []string{secret}, "must not depend on the user"},
		{"[", []string{secret}, "is not a pattern"},
		{"a", []string{secret[1:]}, "at least 32"},
		{"a", []string{secret, ""}, "at least 32"},
		{"a", []string{secret + "\n"}, "control character"},
	} {
		_, err := access.NewSigned([]string{test.glob}, test.secrets)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), secret[1:]) {
			t.Errorf("%q: %v; want %q", test.glob, err, test.want)
		}
	}
}

// Only a token that was signed allows anything.
func FuzzToken(f *testing.F) {
	signed, asked := newSigned(secret), subscriptions("private-1")
	good := sign(secret, 4_000_000_000, "private-*")
	for _, seed := range []string{
		good, good[:40], strings.ToUpper(good), good + "\n", "4000000000..private-1",
		"1." + hex.EncodeToString(make([]byte, 32)) + ".*", "...", "-1.00.*",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		_, reason := signed.Denied(asked, []string{token}, time.Unix(1_000_000_000, 0))
		expiry, rest, _ := strings.Cut(token, ".")
		signature, pattern, _ := strings.Cut(rest, ".")
		if reason == "" && sign(secret, expiry, pattern) != expiry+"."+strings.ToLower(signature)+"."+pattern {
			t.Errorf("%q is allowed", token)
		}
		if strings.Contains(reason, secret) {
			t.Errorf("%q: %s", token, reason)
		}
	})
}
