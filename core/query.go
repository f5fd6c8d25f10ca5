package core

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"novcomet/core/access"
	"novcomet/core/event"
)

// MaxSubscriptions is how many events one poll can ask for. PHP has the same limit for variables in a
// request.
const MaxSubscriptions = 1000

// MaxTokens is how many tokens one poll can send. Each of them is checked with each secret.
const MaxTokens = 100

// Query is what a client asks for: a publication, or a poll.
type Query struct {
	// Publish is the event to publish. If it is set, the other fields are not used.
	Publish event.ID
	// Subscriptions are the events to wait for, each once, in the order of the query.
	Subscriptions []event.Subscription
	// MaxWait limits the wait of the poll; negative: the location alone does.
	MaxWait time.Duration
	// Tokens are the tokens for signed events, not verified yet.
	Tokens []string
	// Data asks for the data of events, in a precise answer.
	Data bool
	// Format is the format of a stream. With any but access.Native, Data is true.
	Format access.Format
	// LastEventID has all cursors of a stream that is resumed.
	LastEventID string
}

// ParseQuery reads a query string as PHP does: brackets are raw or percent-encoded, "+" is a space, ";" is an
// ordinary character, and the last value of a name counts. It ignores parameters that it does not know, and
// publish=, publish[]=x, subscribed=5, subscribed[a and subscribed[]=1.
func ParseQuery(raw string) (Query, error) {
	query := Query{MaxWait: -1}
	var publish, wait, data, format string
	var subscriptions []parameter
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		switch name = unescape(name); {
		case name == "publish":
			publish = unescape(value)
		case name == "wait":
			wait = unescape(value)
		case name == "token" && value != "":
			query.Tokens = append(query.Tokens, unescape(value))
		case name == "data":
			data = unescape(value)
		case name == "format":
			format = unescape(value)
		case name == "lastEventId":
			query.LastEventID = unescape(value)
		case strings.HasPrefix(name, "subscribed["):
			subscriptions = append(subscriptions, parameter{name, unescape(value)})
		}
	}
	var err error
	if publish != "" { // All other parameters are ignored.
		id, err := event.ParseID(publish)
		return Query{Publish: id, MaxWait: -1}, err
	}
	if len(query.Tokens) > MaxTokens {
		return Query{}, fmt.Errorf("bad query: more than %d tokens in one poll", MaxTokens)
	}
	if query.Subscriptions, err = parseSubscriptions(subscriptions); err != nil {
		return Query{}, err
	}
	if format != "" {
		if query.Format, err = access.ParseFormat(format); err != nil {
			return Query{}, fmt.Errorf("bad query: format=%.40q: give raw or turbo", format)
		}
	}
	query.Data = data != "" && data != "0" || query.Format != access.Native
	query.MaxWait, err = parseWait(wait)
	return query, err
}

type parameter struct{ name, value string }

func parseSubscriptions(parameters []parameter) ([]event.Subscription, error) {
	var subscriptions []event.Subscription
	position := make(map[event.ID]int, len(parameters))
	for _, p := range parameters {
		name, rest, closed := strings.Cut(strings.TrimPrefix(p.name, "subscribed["), "]")
		if !closed || name == "" {
			continue
		}
		if strings.HasPrefix(rest, "[") {
			return nil, fmt.Errorf("bad query: %.60q: subscriptions don't nest, write subscribed[ID]=T", p.name)
		}
		id, err := event.ParseID(name)
		if err != nil {
			return nil, err
		}
		cursor, err := event.ParseCursor(p.value)
		if err != nil {
			return nil, err
		}
		if at, again := position[id]; again {
			subscriptions[at].Cursor = cursor
			continue
		}
		if len(subscriptions) == MaxSubscriptions {
			return nil, fmt.Errorf("bad query: more than %d ids in one poll", MaxSubscriptions)
		}
		position[id] = len(subscriptions)
		subscriptions = append(subscriptions, event.Subscription{ID: id, Cursor: cursor})
	}
	return subscriptions, nil
}

// parseWait reads wait=N, N in seconds.
func parseWait(value string) (time.Duration, error) {
	if value == "" {
		return -1, nil
	}
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil || !(seconds >= 0) {
		return 0, fmt.Errorf("bad query: wait=%.40q: give the seconds to wait at the most, 0 or more", value)
	}
	const forever = 1e9 // longer than any setting, and exact in milliseconds
	return time.Duration(math.Round(min(seconds, forever)*1000)) * time.Millisecond, nil
}

// unescape decodes percent-encoding. As in PHP, a "%" that starts no code stays.
func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if code, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(code))
				i += 2
				continue
			}
		}
		if s[i] == '+' {
			b.WriteByte(' ')
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// isEmpty reports whether the query asks for nothing.
func (q Query) isEmpty() bool { return q.Publish.IsZero() && len(q.Subscriptions) == 0 }

// dataForm returns the form in which the client wants data.
func (q Query) dataForm() event.Form {
	switch {
	case q.Format != access.Native:
		return event.Lines
	case q.Data:
		return event.JSON
	default:
		return event.NoData
	}
}

// isPrecise reports whether the poll gets a precise answer: at least one of its cursors is precise.
func (q Query) isPrecise() bool {
	return slices.ContainsFunc(q.Subscriptions, func(s event.Subscription) bool { return s.Cursor.IsPrecise() })
}
