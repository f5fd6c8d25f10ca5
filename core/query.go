package core

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// MaxSubscriptions is how many events one poll can ask for: PHP's own limit of variables in a request.
const MaxSubscriptions = 1000

// MaxTokens is how many tokens one poll can send: each of them is checked with each secret.
const MaxTokens = 100

// ErrQuery is what the errors of [ParseQuery] wrap that are neither an [ErrID] nor an [ErrCursor].
var ErrQuery = errors.New("bad query")

// Query is what a client asks for: a publication, or a poll.
type Query struct {
	// Publish is the event to be published. Where it is set, the rest is empty.
	Publish ID
	// Subscriptions are the events to be waited for, each once, in the order asked.
	Subscriptions []Subscription
	// MaxWait is how long the poll may wait at the most, whatever the settings say; negative: as long as they say.
	MaxWait time.Duration
	// Tokens are what came to show that the poll may ask for [Signed] events, unread.
	Tokens []string
	// Data says that a precise answer is to have the data that the events carry.
	Data bool
	// LastEventID is what a stream last told of: all its cursors.
	LastEventID string

	streams bool // so it is precise, whatever the cursors are
}

// Subscription is one event and what the subscriber last saw of it.
type Subscription struct {
	ID     ID
	Cursor Cursor
}

// ParseQuery reads a query string as PHP reads one: brackets raw or percent-encoded, "+" a space, ";" an ordinary
// character, and of the same name twice the last value counts. Parameters it doesn't know are ignored, so are
// publish=, publish[]=x, subscribed=5, subscribed[a and subscribed[]=1.
func ParseQuery(raw string) (Query, error) {
	query := Query{MaxWait: -1}
	var publish, wait, data string
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
		case name == "lastEventId":
			query.LastEventID = unescape(value)
		case strings.HasPrefix(name, "subscribed["):
			subscriptions = append(subscriptions, parameter{name, unescape(value)})
		}
	}
	var err error
	if publish != "" { // It wins, whatever else there is.
		id, err := ParseID(publish)
		return Query{Publish: id, MaxWait: -1}, err
	}
	if len(query.Tokens) > MaxTokens {
		return Query{}, fmt.Errorf("%w: more than %d tokens in one poll", ErrQuery, MaxTokens)
	}
	if query.Subscriptions, err = parseSubscriptions(subscriptions); err != nil {
		return Query{}, err
	}
	query.Data = data != "" && data != "0"
	query.MaxWait, err = parseWait(wait)
	return query, err
}

type parameter struct{ name, value string }

func parseSubscriptions(parameters []parameter) ([]Subscription, error) {
	var subscriptions []Subscription
	position := make(map[ID]int, len(parameters))
	for _, p := range parameters {
		name, rest, closed := strings.Cut(strings.TrimPrefix(p.name, "subscribed["), "]")
		if !closed || name == "" {
			continue
		}
		if strings.HasPrefix(rest, "[") {
			return nil, fmt.Errorf("%w: %.60q: subscriptions don't nest, write subscribed[ID]=T", ErrQuery, p.name)
		}
		id, err := ParseID(name)
		if err != nil {
			return nil, err
		}
		cursor, err := ParseCursor(p.value)
		if err != nil {
			return nil, err
		}
		if at, again := position[id]; again {
			subscriptions[at].Cursor = cursor
			continue
		}
		if len(subscriptions) == MaxSubscriptions {
			return nil, fmt.Errorf("%w: more than %d ids in one poll", ErrQuery, MaxSubscriptions)
		}
		position[id] = len(subscriptions)
		subscriptions = append(subscriptions, Subscription{id, cursor})
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
		return 0, fmt.Errorf("%w: wait=%.40q: give the seconds to wait at the most, 0 or more", ErrQuery, value)
	}
	const forever = 1e9 // more than anybody sets, and still exact in milliseconds
	return time.Duration(math.Round(min(seconds, forever)*1000)) * time.Millisecond, nil
}

// unescape undoes percent-encoding and, as PHP does, leaves a "%" alone that starts no code.
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

// IsEmpty reports whether the query asks for nothing: it publishes nothing and subscribes to nothing.
func (q Query) IsEmpty() bool { return q.Publish.IsZero() && len(q.Subscriptions) == 0 }

// Precise reports whether the poll is to be answered precisely: one precise cursor is enough.
func (q Query) Precise() bool {
	if q.streams {
		return true
	}
	for _, s := range q.Subscriptions {
		if s.Cursor.Precise() {
			return true
		}
	}
	return false
}

// Encode returns the query string that [ParseQuery] reads as q.
func (q Query) Encode() string {
	if !q.Publish.IsZero() {
		return "publish=" + url.QueryEscape(q.Publish.String())
	}
	var parameters []string
	for _, s := range q.Subscriptions {
		parameters = append(parameters, "subscribed["+url.QueryEscape(s.ID.String())+"]="+s.Cursor.String())
	}
	if q.MaxWait >= 0 {
		parameters = append(parameters, "wait="+strconv.FormatFloat(q.MaxWait.Seconds(), 'f', -1, 64))
	}
	for _, token := range q.Tokens {
		parameters = append(parameters, "token="+url.QueryEscape(token))
	}
	if q.Data {
		parameters = append(parameters, "data=1")
	}
	if q.LastEventID != "" {
		parameters = append(parameters, "lastEventId="+url.QueryEscape(q.LastEventID))
	}
	return strings.Join(parameters, "&")
}
