package core_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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
	cursors map[string]string // what it sends next for each event
	polls   []*poll
	answers atomic.Int32
	mu      sync.Mutex
	told    map[string]string // what it was told of each event, last; protected by mu
}

// poll is one request of a client.
type poll struct {
	sent     map[string]string // its cursors
	wait     time.Duration
	sleep    time.Duration
	asked    instant
	ended    instant
	answered bool // it was not broken off
	status   int
	body     string
	answer   reply
	problem  error // of the answer's form
}

// reply is an answer as a client reads it.
type reply struct {
	S  int
	K  map[string]json.Number
	At map[string]string
}

// run asks again and again, as a client of its kind does.
func (c *client) run(ctx context.Context, endpoint *core.Endpoint) {
	const most = 1000 // It may be in a circle, in which no time passes.
	c.begin(c.now().clock)
	for i := 0; i < most && ctx.Err() == nil; i++ {
		p := c.poll(ctx, endpoint)
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
	c.cursors, c.told = map[string]string{}, map[string]string{}
	for i, event := range c.events {
		switch {
		case c.precise && c.wholeFirst && i == 0 && len(c.events) > 1: // One precise cursor makes the poll precise.
			c.cursors[event] = strconv.FormatInt(server.Second(), 10)
		case c.precise:
			c.cursors[event] = "now"
		default:
			c.cursors[event] = strconv.FormatInt(c.first, 10)
		}
	}
}

// take takes in an answer.
func (c *client) take(p *poll) {
	c.answers.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	for event, value := range p.answer.K {
		c.told[event] = value.String()
		if !c.precise {
			c.cursors[event] = value.String()
		}
	}
	if c.precise {
		c.cursors = p.answer.At
	}
}

// poll sends one request.
func (c *client) poll(ctx context.Context, endpoint *core.Endpoint) *poll {
	p := &poll{sent: map[string]string{}, wait: time.Duration(c.tries) * c.sleep, sleep: c.sleep}
	var parameters []string
	for _, event := range c.events {
		p.sent[event] = c.cursors[event]
		parameters = append(parameters, "subscribed["+url.QueryEscape(event)+"]="+c.cursors[event])
	}
	if c.precise && !c.longFirst && len(c.polls) == 0 {
		p.wait = 0
		parameters = append(parameters, "wait=0")
	}
	if c.patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.patience)
		defer cancel()
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/comet.php?"+strings.Join(parameters, "&"), nil)
	r = r.WithContext(core.WithSettings(ctx, core.Settings{Tries: c.tries, Sleep: c.sleep}))
	w := httptest.NewRecorder()
	p.asked = c.now()
	endpoint.ServeHTTP(w, r)
	p.ended = c.now()
	if p.body = w.Body.String(); p.body == "" {
		return p
	}
	p.answered, p.status = true, w.Code
	decoder := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	decoder.DisallowUnknownFields()
	if p.problem = decoder.Decode(&p.answer); p.problem == nil {
		p.problem = p.formed(c)
	}
	return p
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
	for event := range p.answer.At {
		if _, asked := p.sent[event]; !asked {
			return fmt.Errorf("%q was not asked for", event)
		}
	}
	return nil
}
