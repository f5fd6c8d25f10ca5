package sim

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
	"time"

	"novcomet/core"
	"novcomet/core/event"
)

// client sends polls, or reads streams, until its context ends.
type client struct {
	profile
	location *core.Location
	now      func() instant
	// offset keeps clients apart. It is less than a microsecond, the unit of a stamp. Two clients that act at
	// the very same time would do so in any order, and not in the same one when the history is played again.
	offset  time.Duration
	slow    time.Duration     // how long it takes to read a part of a stream
	first   int64             // the T with which a legacy client begins
	cursors map[string]string // of the next query, by event
	polls   []*poll

	lastEventID string
	resumed     map[string]string // the cursors of the next part of a stream
	streams     sync.WaitGroup
}

// poll is one request of a client, or the wait for one part of a stream.
type poll struct {
	cursors  map[string]string // that were sent, by event
	wait     time.Duration
	sleep    time.Duration
	data     bool     // It asks for data.
	process  *process // that answers
	began    instant
	ended    instant
	answered bool // The client did not leave before the answer.
	status   int
	body     string
	answer   answer
	problem  error // in the form of the answer

	stream      *connection // nil: it is no part of a stream
	first, last bool        // part of the stream
	left        bool        // The client left while it read the part.
	comment     bool        // The part is a comment.
}

// answer is the JSON of an answer.
type answer struct {
	S  int
	K  map[string]json.Number
	D  map[string]json.RawMessage
	At map[string]string
}

// run polls, or reads streams, as a client of its kind does.
func (c *client) run(ctx context.Context, serving func() *process) {
	c.begin(c.now().clock)
	if c.stream != nil {
		c.readStreams(ctx, serving)
		return
	}
	const most = 1000 // Otherwise, a fault could make it poll for ever while no time passes.
	for i := 0; i < most && ctx.Err() == nil; i++ {
		p := c.poll(ctx, serving())
		c.polls = append(c.polls, p)
		if p.problem != nil {
			return
		}
		if p.answered {
			c.apply(p.answer)
		}
		pause := c.pauses[i%len(c.pauses)]
		const shortest = 300 * time.Millisecond // between two polls without a change
		if p.answer.S == 0 && p.ended.at.Sub(p.began.at)+pause < shortest {
			pause = shortest
		}
		select {
		case <-time.After(pause + c.offset):
		case <-ctx.Done():
		}
	}
}

// begin sets the first cursors.
func (c *client) begin(server event.Stamp) {
	c.first = server.Add(c.clock + 500*time.Millisecond).Second()
	c.cursors = map[string]string{}
	for i, name := range c.events {
		switch {
		// One precise cursor makes the poll precise.
		case c.precise && c.legacyFirst && i == 0 && (len(c.events) > 1 || c.stream != nil):
			c.cursors[name] = strconv.FormatInt(server.Second(), 10)
		case c.precise:
			c.cursors[name] = "now"
		default:
			c.cursors[name] = strconv.FormatInt(c.first, 10)
		}
	}
}

// apply takes the next cursors from an answer.
func (c *client) apply(a answer) {
	if c.precise {
		c.cursors = a.At
		return
	}
	for name, value := range a.K {
		c.cursors[name] = value.String()
	}
}

func (c *client) query() string {
	var parameters []string
	for _, name := range c.events {
		parameters = append(parameters, "subscribed["+url.QueryEscape(name)+"]="+c.cursors[name])
	}
	if c.data {
		parameters = append(parameters, "data=1")
	}
	return strings.Join(parameters, "&")
}

func (c *client) request(ctx context.Context, query string) *http.Request {
	return httptest.NewRequestWithContext(ctx, http.MethodGet, "/comet.php?"+query, nil)
}

func (c *client) poll(ctx context.Context, serving *process) *poll {
	p := &poll{
		cursors: maps.Clone(c.cursors), wait: time.Duration(c.tries) * c.sleep, sleep: c.sleep, data: c.data,
		process: serving,
	}
	query := c.query()
	if c.precise && !c.waitsAtFirst && len(c.polls) == 0 {
		p.wait = 0
		query += "&wait=0"
	}
	if c.patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.patience)
		defer cancel()
	}
	w := &recorder{ResponseRecorder: httptest.NewRecorder(), now: c.now}
	serving.server.Serve(w, c.request(ctx, query), c.location)
	if p.began = w.sent; p.began.at.IsZero() { // It was lost before.
		p.began = c.now()
	}
	p.ended = answeredAt(p.began, w.answered, c.now())
	if p.body = w.Body.String(); p.body == "" {
		return p
	}
	p.answered, p.status = true, w.Code
	if p.problem = p.answer.decode(w.Body.Bytes()); p.problem == nil {
		p.problem = p.checkForm(c)
	}
	return p
}

func (a *answer) decode(body []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	return decoder.Decode(a)
}

// checkForm returns what is wrong with the form of the answer.
func (p *poll) checkForm(c *client) error {
	switch {
	case p.status != http.StatusOK:
		return fmt.Errorf("HTTP %d", p.status)
	case p.answer.S != min(len(p.answer.K), 1):
		return fmt.Errorf("s is %d with %d events in k", p.answer.S, len(p.answer.K))
	case !c.precise && p.answer.At != nil, c.precise && len(p.answer.At) != len(c.events):
		return fmt.Errorf("at has %d cursors", len(p.answer.At))
	}
	for name := range p.answer.K {
		if _, ok := p.cursors[name]; !ok {
			return fmt.Errorf("k has %q, which was not asked for", name)
		}
	}
	for name := range p.answer.D {
		if _, changed := p.answer.K[name]; !changed || !c.data {
			return fmt.Errorf("d has %q, which was not asked for", name)
		}
	}
	for name := range p.answer.At {
		if _, ok := p.cursors[name]; !ok {
			return fmt.Errorf("at has %q, which was not asked for", name)
		}
	}
	return nil
}

// format returns a stamp as it appears in the client's answers.
func (c *client) format(s event.Stamp) string {
	if c.precise {
		return s.String()
	}
	return strconv.FormatInt(s.Second(), 10)
}
