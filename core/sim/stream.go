package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// streamProfile is how a client reads streams: as a browser's EventSource does, over connections that are
// slow, or break.
type streamProfile struct {
	slow    time.Duration // how long the client takes to read a part
	breaks  []int         // for each connection in turn: the number of parts until it breaks; 0: it does not
	cut     int           // how many bytes of the next part arrive before it breaks
	noticed time.Duration // after it broke, until the server notices
	inQuery bool          // The last event id is sent in the query, not in the header.
	spoils  int           // the number of the connection that sends an invalid last event id; 0: none
}

// connection is one stream of a client. Its parts are recorded as the answers to polls. The next poll begins
// when the client has read the part before.
type connection struct {
	*client
	ctx     context.Context // of the request
	leave   context.CancelFunc
	process *process
	opened  time.Time
	begun   time.Time // when the first bytes arrived
	breaks  int       // after so many parts; <0: never
	ended   chan struct{}
	header  http.Header
	arrived instant
	buffer  []byte // what is not flushed so far
	poll    *poll  // the one that the next part answers; nil: nothing has arrived so far
	parts   int
	flushes int
	broken  bool
}

// readStreams opens one stream after the other. A browser pauses for 1 to 3 s between two, as the server says
// at random. Here the history sets the pause, so that it can be played again.
func (c *client) readStreams(ctx context.Context, serving func() *process) {
	defer c.streams.Wait()
	for i := range 1000 {
		s := c.connect(ctx, serving(), i)
		<-s.ended
		select {
		case <-time.After(c.pauses[i%len(c.pauses)] + c.offset):
		case <-ctx.Done():
			return
		}
	}
}

func (c *client) connect(ctx context.Context, serving *process, number int) *connection {
	s := &connection{client: c, process: serving, breaks: -1, ended: make(chan struct{}), header: http.Header{}}
	if n := c.stream.breaks[number%len(c.stream.breaks)]; n > 0 {
		s.breaks = n
	}
	s.ctx, s.leave = context.WithCancel(ctx)
	query, last := c.query(), c.lastEventID
	if number > 0 && number == c.stream.spoils {
		last = "spoilt"
	}
	if c.resumed = c.cursors; last != "" {
		c.resumed = cursorsAfterResume(c.events, last)
		if c.stream.inQuery {
			query += "&lastEventId=" + last
		}
	}
	r := c.request(s.ctx, query)
	r.Header.Set("Accept", "text/event-stream")
	if last != "" && !c.stream.inQuery {
		r.Header.Set("Last-Event-ID", last)
	}
	c.streams.Go(func() {
		defer s.leave()
		serving.server.Serve(s, r, c.location)
		s.end()
	})
	return s
}

func (s *connection) Header() http.Header { return s.header }
func (s *connection) WriteHeader(int)     {}
func (s *connection) Sent()               { s.opened = time.Now() }
func (s *connection) Answered()           { s.arrived = s.now() }
func (s *connection) Lost()               { s.leave() }

func (s *connection) Write(b []byte) (int, error) {
	s.buffer = append(s.buffer, b...)
	return len(b), nil
}

// Flush reads what was sent. The server waits meanwhile.
func (s *connection) Flush() {
	sent := s.buffer
	s.buffer = nil
	if s.flushes++; s.flushes == 1000 { // Otherwise, a fault could make the server send for ever while no time passes.
		s.breaks = s.parts
		s.leave()
	}
	switch {
	case s.broken || len(sent) == 0:
		return
	case s.poll == nil:
		s.begin(sent)
		return
	case s.poll.left:
		return
	}
	if s.read(sent, false); s.broken {
		return
	}
	time.Sleep(s.slow)
	if s.poll.left = s.ctx.Err() != nil; !s.poll.left {
		s.await()
	}
}

func (s *connection) begin(sent []byte) {
	s.await()
	retry, _, _ := strings.Cut(strings.TrimPrefix(string(sent), "retry: "), "\n")
	s.begun = s.poll.began.at
	if n, err := strconv.Atoi(retry); err != nil || n < 1000 || n > 3000 {
		s.poll.problem = fmt.Errorf("the stream begins with %q", sent)
	}
}

// await begins the next poll.
func (s *connection) await() {
	p := &poll{
		cursors: s.resumed, sleep: s.sleep, data: s.data, began: s.now(), process: s.process,
		stream: s, first: s.parts == 0,
	}
	if !p.first { // The first one only finds where the stream begins.
		age := p.began.at.Sub(s.opened)
		p.wait = max(min(s.location.StreamComment, s.location.StreamEnd-age), 0)
	}
	s.polls = append(s.polls, p)
	s.poll = p
}

// read reads one part. If the connection breaks now, only the first bytes of the part arrive.
func (s *connection) read(sent []byte, last bool) {
	p := s.poll
	p.ended, p.last = answeredAt(p.began, s.arrived, s.now()), last
	p.body = strings.ReplaceAll(strings.TrimSpace(string(sent)), "\n", "|")
	if s.parts == s.breaks {
		s.broken = true
		sent = sent[:min(len(sent)-1, s.stream.cut)]
		p.body = "lost: " + p.body
		_, s.lastEventID, _ = parseEvents(sent, s.lastEventID)
		time.AfterFunc(s.stream.noticed, s.leave)
		close(s.ended)
		return
	}
	s.parts++
	p.answered, p.status = true, http.StatusOK
	answer, id, problem := parseEvents(sent, "")
	switch p.answer = answer; {
	case p.problem != nil: // The stream began with it.
	case problem != nil:
		p.problem = problem
	case id != "":
		s.lastEventID = id
		p.answer.At = cursorsOfID(s.events, id)
		s.resumed = p.answer.At
	case p.first || len(answer.K) > 0:
		p.problem = fmt.Errorf("the part has no id")
	default:
		p.comment = true
	}
}

// end is called when the server has ended the stream, or has noticed that the client left.
func (s *connection) end() {
	switch {
	case s.broken:
		return
	case s.poll == nil && s.ctx.Err() != nil:
	case s.poll == nil:
		s.await()
		s.poll.ended, s.poll.answered, s.poll.problem = s.now(), true, fmt.Errorf("the stream ended without a flush")
	case len(s.buffer) > 0:
		s.read(s.buffer, true)
	case s.poll.left:
	case s.ctx.Err() != nil:
		s.poll.ended = answeredAt(s.poll.began, s.arrived, s.now())
		if !s.poll.first && s.poll.ended.at.Sub(s.poll.began.at) < transfer { // The end may have been on its way.
			s.polls[len(s.polls)-2].left = true
		}
	default: // The part before was the last one.
		s.polls = s.polls[:len(s.polls)-1]
		if n := len(s.polls); n > 0 {
			s.polls[n-1].last = true
		}
	}
	if !s.broken {
		close(s.ended)
	}
}

// parseEvents parses Server-Sent Events as a browser does. It returns their contents as one answer, and the
// last event id.
func parseEvents(sent []byte, last string) (all answer, lastID string, err error) {
	all = answer{K: map[string]json.Number{}, D: map[string]json.RawMessage{}}
	id := last
	var name, data string
	for line := range strings.Lines(string(sent)) {
		line, complete := strings.CutSuffix(line, "\n")
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case !complete:
			return all, last, fmt.Errorf("the line %q has no end", line)
		case field == "event":
			name = value
		case field == "data":
			data += value
		case field == "id":
			id = value
		case field == "" && line != "": // a comment
		case line != "":
			return all, last, fmt.Errorf("unknown field: %q", line)
		default:
			last = id
			if data != "" {
				if err := all.add(name, data); err != nil {
					return all, last, err
				}
			}
			name, data = "", ""
		}
	}
	if !bytes.HasSuffix(sent, []byte("\n\n")) {
		return all, last, fmt.Errorf("the last event is never dispatched")
	}
	return all, last, nil
}

// add adds the content of one event of a stream.
func (a *answer) add(name, data string) error {
	var one answer
	if err := one.decode([]byte(data)); err != nil {
		return err
	}
	stamp, ok := one.K[name]
	if one.S != 1 || !ok || len(one.K) != 1 || len(one.At) != 1 || one.At[name] != stamp.String() {
		return fmt.Errorf("%s has more or less than the event %q", data, name)
	}
	if _, twice := a.K[name]; twice {
		return fmt.Errorf("the part has %q twice", name)
	}
	a.S = 1
	a.K[name] = stamp
	maps.Copy(a.D, one.D)
	return nil
}

// cursorsOfID returns the cursors in a last event id.
func cursorsOfID(events []string, id string) map[string]string {
	cursors := map[string]string{}
	for i, value := range strings.Split(id, ",") {
		if i < len(events) {
			cursors[events[i]] = value
		}
	}
	return cursors
}

// cursorsAfterResume returns the cursors with which a stream goes on from a last event id. Where the id has
// no cursor, the client has seen nothing.
func cursorsAfterResume(events []string, id string) map[string]string {
	const nothing = "0.000000"
	cursors := map[string]string{}
	values := strings.Split(id, ",")
	for i, name := range events {
		cursors[name] = nothing
		if len(values) == len(events) && values[i] != "now" && strings.Trim(values[i], "0123456789.") == "" {
			cursors[name] = values[i]
		}
	}
	return cursors
}
