// Package coretest has what the tests of core and its packages share: a store in memory that can be made to
// fail, short ways to send requests, tokens, and texts with times.
package coretest

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"novcomet/core/event"
	"novcomet/core/servertest"
)

// Must returns the value. It panics if there is an error.
func Must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// MustID returns an ID. It panics if the name is not allowed.
func MustID(name string) event.ID { return Must(event.ParseID(name)) }

// Ask sends a GET request, and returns the status and the body of the answer.
func Ask(t testing.TB, h http.Handler, query string) (status int, body string) {
	t.Helper()
	return Send(t, h, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/comet.php?"+query, nil))
}

// Send sends a request, and returns the status and the body of the answer.
func Send(t testing.TB, h http.Handler, r *http.Request) (status int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

// Secret is a secret of signed subscriptions.
const Secret = "0123456789abcdef0123456789abcdef"

// Token returns a token, as the README describes it. The expiry is a Unix second.
func Token(secret string, expiry any, pattern string) string {
	h := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(h, "%v\n%s", expiry, pattern)
	return fmt.Sprintf("%v.%x.%s", expiry, h.Sum(nil), pattern)
}

// Start is when the time of a synctest bubble starts: on a whole second.
var Start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

var inBraces = regexp.MustCompile(`\{-?[0-9.]+\}`)

// Times returns the text with each {x} and {x.y} replaced: x seconds after [Start], as a Unix second or, with
// a point, as a stamp.
func Times(text string) string {
	return inBraces.ReplaceAllStringFunc(text, func(braced string) string {
		seconds := strings.Trim(braced, "{}")
		offset, err := time.ParseDuration(seconds + "s")
		if err != nil {
			panic(err)
		}
		at := Start.Add(offset)
		if strings.Contains(seconds, ".") {
			return event.StampOf(at).String()
		}
		return fmt.Sprint(at.Unix())
	})
}

// Discard is a log that nobody reads.
var Discard = slog.New(slog.DiscardHandler)

// RecordLog returns a log, and a function that returns the lines logged so far.
func RecordLog() (log *slog.Logger, lines func() []string) {
	out := &servertest.Output{}
	return slog.New(slog.NewTextHandler(out, nil)), func() []string {
		return strings.FieldsFunc(out.String(), func(r rune) bool { return r == '\n' })
	}
}
