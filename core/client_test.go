package core_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"novcomet/core"
)

// client is a subscriber while it asks.
type client struct {
	subscriber
	now     func() instant
	apart   time.Duration     // less than a stamp's unit: two things at the same time would come in any order, and not again in the same
	first   int64             // T of a whole-second client that has no S so far
	cursors map[string]string // what it sends next for each event, in the query
	polls   []*poll
	answers atomic.Int32
	mu      sync.Mutex
	told    map[string]string // what it was told of each event, last; protected by mu
	carried map[string]string // what that carried; protected by mu

	limits core.StreamLimits
	last   string            // the last event id
	sent   map[string]string // the cursors that a stream goes by
	served sync.WaitGroup    // streams
}

// poll is one request of a client.
type poll struct {
	sent     map[string]string // its cursors
	wait     time.Duration
	sleep    time.Duration
	data     bool     // it asks for it
	process  *process // which answers
	asked    instant
	ended    instant
	answered bool // it was not broken off
	status   int
	body     string
	answer   reply
	problem  error // of the answer's form

	stream      *connection // whose part the answer is; nil: none
	first, last bool        // part of it
	comment     bool        // which says nothing
}

// reply is an answer as a client reads it.
type reply struct {
	S  int
	K  map[string]json.Number
	D  map[string]json.RawMessage
	At map[string]string
}

// run asks again and again, as a client of its kind does.
func (c *client) run(ctx context.Context, serving func() *process) {
	const most = 1000 // It may be in a circle, in which no time passes.
	c.begin(c.now().clock)
	if c.stream != nil {
		c.listen(ctx, serving)
		return
	}
	for i := 0; i < most && ctx.Err() == nil; i++ {
		p := c.poll(ctx, serving())
		c.polls = append(c.polls, p)
		if p.problem != nil {
			return
		}
		if p.answered {
			c.take(p)
		}
		pause := c.pauses[i%len(c.pauses)]
		const hurry = 300 * time.Millisecond // It does not ask in a tight circle.
		if p.answer.S == 0 && p.ended.at.Sub(p.asked.at)+pause < hurry {
			pause = hurry
		}
		select {
		case <-time.After(pause + c.apart):
		case <-ctx.Done():
		}
	}
}

// begin sets the cursors that the client begins with.
func (c *client) begin(server core.Stamp) {
	c.first = int64((server.Add(c.clock) + 500_000) / 1_000_000)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cursors, c.told, c.carried = map[string]string{}, map[string]string{}, map[string]string{}
	for i, event := range c.events {
		switch {
		case c.precise && c.wholeFirst && i == 0 && (len(c.events) > 1 || c.stream != nil): // One precise cursor makes the poll precise.
			c.cursors[event] = strconv.FormatInt(server.Second(), 10)
		case c.precise:
			c.cursors[event] = "now"
		default:
			c.cursors[event] = strconv.FormatInt(c.first, 10)
		}
	}
	c.sent = c.cursors
}

// take takes in an answer.
func (c *client) take(p *poll) {
	c.learn(p.answer)
	for event, value := range p.answer.K {
		if !c.precise {
			c.cursors[event] = value.String()
		}
	}
	if c.precise {
		c.cursors = p.answer.At
	}
}

// learn remembers what was told last.
func (c *client) learn(a reply) {
	c.answers.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	for event, value := range a.K {
		c.told[event], c.carried[event] = value.String(), string(a.D[event])
	}
}

// query returns the query that the client sends.
func (c *client) query() string {
	var parameters []string
	for _, event := range c.events {
		parameters = append(parameters, "subscribed["+url.QueryEscape(event)+"]="+c.cursors[event])
	}
	if c.data {
		parameters = append(parameters, "data=1")
	}
	return strings.Join(parameters, "&")
}

// poll sends one request.
func (c *client) poll(ctx context.Context, serving *process) *poll {
	p := &poll{sent: maps.Clone(c.cursors), wait: time.Duration(c.tries) * c.sleep, sleep: c.sleep, data: c.data, process: serving}
	query := c.query()
	if c.precise && !c.longFirst && len(c.polls) == 0 {
		p.wait = 0
		query += "&wait=0"
	}
	if c.patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.patience)
		defer cancel()
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/comet.php?"+query, nil)
	r = r.WithContext(core.WithSettings(ctx, core.Settings{Tries: c.tries, Sleep: c.sleep}))
	w := httptest.NewRecorder()
	p.asked = c.now()
	serving.endpoint.ServeHTTP(w, r)
	p.ended = c.now()
	if p.body = w.Body.String(); p.body == "" {
		return p
	}
	p.answered, p.status = true, w.Code
	if p.problem = decode(w.Body.Bytes(), &p.answer); p.problem == nil {
		p.problem = p.formed(c)
	}
	return p
}

func decode(body []byte, answer *reply) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	return decoder.Decode(answer)
}

// formed returns what is wrong with the answer's form.
func (p *poll) formed(c *client) error {
	switch {
	case p.status != http.StatusOK:
		return fmt.Errorf("HTTP %d", p.status)
	case p.answer.S != min(len(p.answer.K), 1):
		return fmt.Errorf("s is %d with %d events in k", p.answer.S, len(p.answer.K))
	case !c.precise && p.answer.At != nil, c.precise && len(p.answer.At) != len(c.events):
		return fmt.Errorf("at has %d cursors", len(p.answer.At))
	}
	for event := range p.answer.K {
		if _, asked := p.sent[event]; !asked {
			return fmt.Errorf("%q was not asked for", event)
		}
	}
	for event := range p.answer.D {
		if _, told := p.answer.K[event]; !told || !c.data {
			return fmt.Errorf("nobody asked what %q carries", event)
		}
	}
	for event := range p.answer.At {
		if _, asked := p.sent[event]; !asked {
			return fmt.Errorf("%q was not asked for", event)
		}
	}
	return nil
}
