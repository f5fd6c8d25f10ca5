package core_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"novcomet/core"
)

// reading is how a subscriber reads streams: as a browser's EventSource does, over connections that are slow, or break.
type reading struct {
	slow    time.Duration // what was sent at one time takes so long to be taken
	breaks  []int         // how many parts arrive over a connection, in turn, until it breaks; 0: it does not
	cut     int           // of the part that is lost then, so many bytes arrive
	noticed time.Duration // by the server, so long after it broke
	inQuery bool          // the last event id comes in the query
	spoils  int           // this connection, counted from 0, gets a last event id that is none; 0: none does
}

// connection is one stream of a client. What is sent over it is recorded as the answers to polls: each part answers the one
// that began when the part before it had been taken.
type connection struct {
	*client
	leave   context.CancelFunc
	process *process
	opened  time.Time
	begun   time.Time // when the first bytes came
	breaks  int       // after so many parts; <0: never
	over    chan struct{}
	header  http.Header
	buffer  []byte // which net/http would not have sent so far
	poll    *poll  // that the next part answers; nil: nothing came so far
	parts   int
	flushes int
	broken  bool
}

// listen opens one stream after the other. A browser waits for some time between, which the server has set to 1 to 3 s
// by chance; here the history says how long, so that it can be played again.
func (c *client) listen(ctx context.Context, serving func() *process) {
	defer c.served.Wait()
	for i := range 1000 {
		s := c.connect(ctx, serving(), i)
		<-s.over
		select {
		case <-time.After(c.pauses[i%len(c.pauses)] + c.apart):
		case <-ctx.Done():
			return
		}
	}
}

func (c *client) connect(ctx context.Context, serving *process, number int) *connection {
	s := &connection{client: c, process: serving, breaks: -1, over: make(chan struct{}), header: http.Header{}}
	if n := c.stream.breaks[number%len(c.stream.breaks)]; n > 0 {
		s.breaks = n
	}
	ctx, s.leave = context.WithCancel(ctx)
	query := c.query()
	header := http.Header{"Accept": {"text/event-stream"}}
	last := c.last
	if number > 0 && number == c.stream.spoils {
		last = "spoilt"
	}
	switch {
	case last == "":
	case c.stream.inQuery:
		query += "&lastEventId=" + last
	default:
		header.Set("Last-Event-ID", last)
	}
	if last != "" {
		c.sent = resumed(c.events, last)
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/comet.php?"+query, nil)
	r.Header = header
	r = r.WithContext(core.WithSettings(ctx, core.Settings{Tries: c.tries, Sleep: c.sleep}))
	s.opened = time.Now()
	c.served.Go(func() {
		defer s.leave()
		serving.endpoint.ServeHTTP(s, r)
		s.end(ctx.Err() != nil)
	})
	return s
}

func (s *connection) Header() http.Header { return s.header }
func (s *connection) WriteHeader(int)     {}

func (s *connection) Write(b []byte) (int, error) {
	s.buffer = append(s.buffer, b...)
	return len(b), nil
}

// Flush takes what was sent, and lets the server wait meanwhile.
func (s *connection) Flush() {
	sent := s.buffer
	s.buffer = nil
	if s.flushes++; s.flushes == 1000 { // The server may be in a circle, in which no time passes.
		s.breaks = s.parts
		s.leave()
	}
	switch {
	case s.broken:
		return
	case s.poll == nil:
		s.begin(sent)
		return
	}
	if s.take(sent, false); !s.broken {
		time.Sleep(s.stream.slow)
		s.await()
	}
}

func (s *connection) begin(sent []byte) {
	s.await()
	retry, _, _ := strings.Cut(strings.TrimPrefix(string(sent), "retry: "), "\n")
	s.begun = s.poll.asked.at
	if n, err := strconv.Atoi(retry); err != nil || n < 1000 || n > 3000 {
		s.poll.problem = fmt.Errorf("it begins with %q", sent)
	}
}

// await begins the next poll.
func (s *connection) await() {
	q := &poll{sent: s.sent, sleep: s.sleep, data: s.data, asked: s.now(), process: s.process, stream: s, first: s.parts == 0}
	if !q.first { // which looks only where it begins
		q.wait = max(min(s.limits.Comment, s.limits.End-q.asked.at.Sub(s.opened)), 0)
	}
	s.polls = append(s.polls, q)
	s.poll = q
}

// take takes in one part, or of one that is lost what arrives.
func (s *connection) take(sent []byte, last bool) {
	q := s.poll
	q.ended, q.body, q.last = s.now(), strings.ReplaceAll(strings.TrimSpace(string(sent)), "\n", "|"), last
	if s.parts == s.breaks {
		s.broken = true
		sent = sent[:min(len(sent)-1, s.stream.cut)]
		q.body = "lost: " + q.body
		_, s.last, _ = readEvents(sent, s.last)
		time.AfterFunc(s.stream.noticed, s.leave)
		close(s.over)
		return
	}
	s.parts++
	q.answered, q.status = true, http.StatusOK
	answer, id, problem := readEvents(sent, "")
	switch q.answer = answer; {
	case q.problem != nil: // It has begun so.
	case problem != nil:
		q.problem = problem
	case id != "":
		s.last = id
		q.answer.At = cursors(s.events, id)
		s.sent = q.answer.At
	case q.first || len(answer.K) > 0:
		q.problem = fmt.Errorf("nothing to resume from")
	default:
		q.comment = true
	}
	s.learn(q.answer)
}

// end is called when the server has ended the stream, because the client left or not.
func (s *connection) end(left bool) {
	switch {
	case s.broken:
		return
	case len(s.buffer) > 0 && s.poll != nil:
		s.take(s.buffer, true)
	case s.poll != nil && left:
		s.poll.ended = s.now()
	case s.poll != nil: // It has ended with the part before.
		s.polls = s.polls[:len(s.polls)-1]
		if n := len(s.polls); n > 0 {
			s.polls[n-1].last = true
		}
	}
	if !s.broken {
		close(s.over)
	}
}
