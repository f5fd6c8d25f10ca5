package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"

	"novcomet/core/event"
)

// MinSecret is the length of the shortest secret, in bytes. A client that has a token can try any number of
// secrets on it.
const MinSecret = 32

// Signed are ids that need a token, which the site's own application makes for a visitor. Only [NewSigned]
// makes them. The zero Signed contain no id.
//
// A token is EXPIRY.SIGNATURE.PATTERN: the Unix second at which it expires, the HMAC-SHA256 of
// "EXPIRY\nPATTERN" in hexadecimal digits, and a glob of ids as [ParsePatterns] reads it, but without <user>.
type Signed struct {
	ids     Patterns
	secrets *[][]byte // a pointer, so that %+v prints no secret; nil: no secrets
}

// NewSigned makes the ids that match the globs need a token made with one of the secrets. The globs must not
// contain <user>. Several secrets allow one to replace another without a pause.
func NewSigned(globs, secrets []string) (Signed, error) {
	patterns, err := ParsePatterns(globs)
	if err != nil {
		return Signed{}, err
	}
	// Without an authenticated user, a pattern with <user> matches nothing, so every client could subscribe
	// without a token.
	if len(patterns.forUser) > 0 {
		glob := strings.Join(patterns.forUser[0], userWord)
		return Signed{}, fmt.Errorf("signed subscriptions: %.60q contains %s, "+
			"but whether an id needs a token must not depend on the user", glob, userWord)
	}
	return Signed{ids: patterns}.WithSecrets(secrets)
}

// WithSecrets returns s with these secrets instead of its own. A secret has at least [MinSecret] bytes and no
// control characters.
func (s Signed) WithSecrets(secrets []string) (Signed, error) {
	var list [][]byte
	for _, secret := range secrets {
		if len(secret) < MinSecret {
			return Signed{}, fmt.Errorf("signed subscriptions: a secret of %d bytes: at least %d are needed",
				len(secret), MinSecret)
		}
		if strings.ContainsFunc(secret, unicode.IsControl) {
			return Signed{}, errors.New("signed subscriptions: a secret with a control character")
		}
		list = append(list, []byte(secret))
	}
	s.secrets = &list
	return s, nil
}

// WithSecretsOf returns s with the secrets of other.
func (s Signed) WithSecretsOf(other Signed) Signed {
	s.secrets = other.secrets
	return s
}

// Format prints the patterns, whatever the verb is. Otherwise %d would print the secrets.
func (s Signed) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LacksSecrets reports whether ids need a token, but no token can be valid.
func (s Signed) LacksSecrets() bool {
	return len(s.ids.globs) > 0 && (s.secrets == nil || len(*s.secrets) == 0)
}

// String returns the patterns of the ids that need a token, in the form that [ParseList] reads.
func (s Signed) String() string { return formatList(s.ids.globs) }

// Denied returns the first id that needs a token that the client did not send, and the reason. An empty
// reason means that all ids are allowed.
func (s Signed) Denied(subscriptions []event.Subscription, sent []string, now time.Time) (id event.ID, reason string) {
	var tokens []token // verified when the first id needs one
	for _, asked := range subscriptions {
		if !s.ids.common.Match(asked.ID) {
			continue
		}
		if tokens == nil {
			tokens = s.verifyAll(sent)
		}
		if reason := denialReason(tokens, asked.ID, len(sent), now); reason != "" {
			return asked.ID, reason
		}
	}
	return event.ID{}, ""
}

// denialReason returns why none of the tokens allows the id, and "" if one does. It gives no details of a
// token that was not made with a secret.
func denialReason(tokens []token, id event.ID, sent int, now time.Time) string {
	switch {
	case sent == 0:
		return "send token=EXPIRY.SIGNATURE.PATTERN with the query"
	case len(tokens) == 0:
		return "the token is not EXPIRY.SIGNATURE.PATTERN, or not signed with a valid secret"
	}
	reason := "none of the tokens is for it"
	for _, t := range tokens {
		if matched, _ := path.Match(t.glob, id.String()); matched {
			if now.Before(t.expiry) {
				return ""
			}
			reason = "its token was valid until " + t.expiry.UTC().Format(time.RFC3339)
		}
	}
	return reason
}

// token is a token that was made with one of the secrets.
type token struct {
	expiry time.Time
	glob   string
}

// verifyAll returns the tokens that were made with one of the secrets.
func (s Signed) verifyAll(sent []string) []token {
	tokens := []token{}
	for _, text := range sent {
		if t, ok := s.verify(text); ok {
			tokens = append(tokens, t)
		}
	}
	return tokens
}

func (s Signed) verify(text string) (token, bool) {
	expiry, rest, _ := strings.Cut(text, ".")
	signature, glob, _ := strings.Cut(rest, ".")
	mac, err := hex.DecodeString(signature)
	seconds, badExpiry := strconv.ParseUint(expiry, 10, 63)
	_, badGlob := path.Match(glob, "")
	if err != nil || badExpiry != nil || badGlob != nil || s.secrets == nil {
		return token{}, false
	}
	for _, secret := range *s.secrets {
		h := hmac.New(sha256.New, secret)
		h.Write([]byte(expiry + "\n" + glob))
		if hmac.Equal(h.Sum(nil), mac) { // It takes the same time for every wrong signature.
			const latest = 1 << 40 // some 35,000 years from now
			return token{time.Unix(int64(min(seconds, latest)), 0), glob}, true
		}
	}
	return token{}, false
}
