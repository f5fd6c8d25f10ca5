package core

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// ErrSigned is what the errors of [NewSigned] wrap that are no [ErrPattern].
var ErrSigned = errors.New("signed subscriptions")

// MinSecret is the length of the shortest secret, in bytes. Whoever has a token can try secrets on it, as many as he likes.
const MinSecret = 32

// Signed are ids that can only be subscribed to with a token, which the site's own application makes for a visitor that it
// knows. It can only be made by [NewSigned]; the zero Signed are no ids.
//
// A token is EXPIRY.SIGNATURE.PATTERN: the Unix second from which it is not valid any more, the HMAC-SHA256 of
// "EXPIRY\nPATTERN" in hexadecimal digits, and the glob of the ids that it is for, as [ParsePatterns] has it but without <user>.
// A poll has as many token=… in its query as it needs.
type Signed struct {
	ids     Patterns
	secrets *[][]byte // a pointer, so that %+v prints no secret; nil: no secrets
}

// NewSigned lets ids that match the globs, which can't have <user> in them, be subscribed to only with a token made with one
// of the secrets. Several are for the time in which one takes the place of another.
func NewSigned(globs, secrets []string) (Signed, error) {
	patterns, err := ParsePatterns(globs)
	if err != nil {
		return Signed{}, err
	}
	// Without a user, a pattern with <user> matches nothing, so everybody could subscribe without a token.
	if len(patterns.ofUser) > 0 {
		glob := strings.Join(patterns.ofUser[0], userWord)
		return Signed{}, fmt.Errorf("%w: %.60q contains %s, but whether an id needs a token must not depend on the user",
			ErrSigned, glob, userWord)
	}
	return Signed{ids: patterns}.WithSecrets(secrets)
}

// UnmarshalText parses a list of patterns, in the form that [ParseList] describes. There are no secrets then.
func (s *Signed) UnmarshalText(text []byte) (err error) {
	*s, err = parseListOf(text, func(globs []string) (Signed, error) { return NewSigned(globs, nil) })
	return err
}

// WithSecrets returns s with these secrets instead of its own. A secret has at least [MinSecret] bytes and no
// control characters.
func (s Signed) WithSecrets(secrets []string) (Signed, error) {
	var list [][]byte
	for _, secret := range secrets {
		if len(secret) < MinSecret {
			return Signed{}, fmt.Errorf("%w: a secret of %d bytes: at least %d are needed", ErrSigned, len(secret), MinSecret)
		}
		if strings.ContainsFunc(secret, unicode.IsControl) {
			return Signed{}, fmt.Errorf("%w: a secret with a control character", ErrSigned)
		}
		list = append(list, []byte(secret))
	}
	s.secrets = nil
	if len(list) > 0 {
		s.secrets = &list
	}
	return s, nil
}

// LacksSecrets reports whether ids need a token, but no token can be valid because there is no secret.
func (s Signed) LacksSecrets() bool { return len(s.ids.globs) > 0 && len(s.keys()) == 0 }

// String returns the patterns in the form that UnmarshalText parses.
func (s Signed) String() string { return formatList(s.ids.globs) }

func (s Signed) keys() [][]byte {
	if s.secrets == nil {
		return nil
	}
	return *s.secrets
}

// refuse returns why the query may not subscribe to what it asks for, nil if it may.
func (s Signed) refuse(q Query, now time.Time) *refusal {
	var tokens []token // that somebody with a secret has made; read when the first id needs one
	for _, asked := range q.Subscriptions {
		if !s.ids.always.matches(asked.ID) {
			continue
		}
		if tokens == nil {
			tokens = s.read(q.Tokens)
		}
		if reason := lacking(tokens, asked.ID, len(q.Tokens), now); reason != "" {
			return forbidden("subscribing to %q needs a token: %s", asked.ID.name, reason)
		}
	}
	return nil
}

// lacking returns what the id lacks, "" if one of the tokens is for it; sent is how many came. Of a token that nobody with a
// secret has made, nothing is said.
func lacking(tokens []token, id ID, sent int, now time.Time) (reason string) {
	switch {
	case sent == 0:
		return "send token=EXPIRY.SIGNATURE.PATTERN with the query"
	case len(tokens) == 0:
		return "what came is not EXPIRY.SIGNATURE.PATTERN, or not signed with a secret that is valid"
	}
	reason = "none of those that came is for it"
	for _, t := range tokens {
		if matched, _ := path.Match(t.glob, id.name); matched {
			if now.Before(t.expiry) {
				return ""
			}
			reason = "the one that came was valid until " + t.expiry.UTC().Format(time.RFC3339)
		}
	}
	return reason
}

// token is one that was made with a secret.
type token struct {
	expiry time.Time
	glob   string
}

// read returns the tokens that are signed with one of the secrets.
func (s Signed) read(sent []string) []token {
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
	if err != nil || !digits(expiry) {
		return token{}, false
	}
	for _, secret := range s.keys() {
		h := hmac.New(sha256.New, secret)
		h.Write([]byte(expiry + "\n" + glob))
		if hmac.Equal(h.Sum(nil), mac) { // in constant time: how long it takes tells nothing about the right one
			seconds, err := strconv.ParseInt(expiry, 10, 64)
			_, bad := path.Match(glob, "")
			const latest = 1 << 40 // some 35,000 years from now
			return token{time.Unix(min(seconds, latest), 0), glob}, err == nil && bad == nil
		}
	}
	return token{}, false
}
