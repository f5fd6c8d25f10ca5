package core

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"novcomet/core/access"
	"novcomet/core/hub"
)

// Subscriber is a poll or a stream. A poll is answered with one part, a stream with many: a stream is a
// client within the process that polls precisely. When a part has been sent, the stream waits for the next
// change, with the cursors of that part. So the promise for polls holds for streams, and a slow reader misses
// what happened in between, but never the latest state.
//
// A server that parks requests calls Begin, then Wait and Part until the last part, then Close. ServeHTTP
// does the same for other servers.
type Subscriber struct {
	hub.Waiter
	endpoint *Endpoint
	location *Location
	cors     cors
	query    Query
	stream   *stream // nil: a poll
	answered bool    // The answer to the poll was made.
}

func (e *Endpoint) newSubscriber(r *http.Request, q Query, l *Location, c cors) *Subscriber {
	s := &Subscriber{endpoint: e, location: l, cors: c, query: q}
	// Each text is a part of the request, and would keep all of it in memory while the subscriber waits.
	s.query.Tokens, s.query.LastEventID = nil, ""
	if !wantsStream(r.Header) {
		return s
	}
	for _, token := range q.Tokens {
		s.query.Tokens = append(s.query.Tokens, strings.Clone(token))
	}
	s.stream = &stream{}
	id := cmp.Or( // A browser that reconnects repeats the URL, and sends the header.
		r.Header.Get("Last-Event-ID"), // rule: stream-resumes-from-the-header
		q.LastEventID,                 // rule: stream-resumes-from-the-query
	)
	if id != "" {
		resume(q.Subscriptions, id)
	}
	return s
}

// IsStream reports whether the response has several parts, and begins before the first one.
func (s *Subscriber) IsStream() bool { return s.stream != nil }

// mayWait reports whether the subscriber may wait for a publication.
func (s *Subscriber) mayWait() bool {
	return s.stream != nil || s.location.Wait() > 0 && s.query.MaxWait != 0
}

// doNotWait lets a poll be answered as soon as the delivery rules permit, and a stream end after its first
// part.
func (s *Subscriber) doNotWait() {
	s.query.MaxWait = 0
	if s.stream != nil {
		s.stream.onePart = true
	}
}

// HeaderKey identifies the header of the answer to a poll: equal keys mean equal headers.
type HeaderKey struct{ cors cors }

// HeaderKey returns the key of the subscriber's header.
func (s *Subscriber) HeaderKey() HeaderKey { return HeaderKey{s.cors} }

// Begin begins the response: it sets the header, and returns the first bytes of a stream, which are to be
// sent at once.
func (s *Subscriber) Begin(h http.Header) (preamble []byte) {
	s.cors.addTo(h)
	if s.stream == nil {
		setJSONHeader(h)
		return nil
	}
	setStreamHeader(h)
	e := s.endpoint
	others := e.metrics.Streams.Add(1) - 1
	if most := e.limits.Load().MaxStreams; most > 0 && int(others) >= most {
		s.stream.onePart = true
		if e.alarm.IsDue() {
			e.log.Warn("the limit of open streams (max_waiting) is reached; further ones end after their first part")
		}
	}
	e.metrics.StreamsTotal.Add(1)
	s.stream.end = time.Now().Add(cmp.Or(s.location.StreamEnd, 10*time.Minute))
	return streamPreamble()
}

// Close ends the response. It must be called after the last part, or after Cancel.
func (s *Subscriber) Close() {
	switch m := s.endpoint.metrics; {
	case s.stream != nil:
		m.Streams.Add(-1)
	case !s.answered:
		m.PollsAborted.Add(1)
	}
}

// Wait lets the subscriber wait for its next part, and returns at once. The receiver gets the result.
func (s *Subscriber) Wait(receiver hub.Receiver) {
	request := hub.Request{
		Subscriptions: s.query.Subscriptions, Precise: s.stream != nil || s.query.isPrecise(), Data: s.query.dataForm(),
		Wait: s.location.Wait(), Pause: s.location.Sleep,
	}
	if s.query.MaxWait >= 0 {
		request.Wait = min(request.Wait, s.query.MaxWait) // rule: unchanged-answer-comes-after-the-requested-wait
	}
	if st := s.stream; st != nil {
		now := time.Now()
		wait := min(
			cmp.Or(s.location.StreamComment, 20*time.Second), // rule: stream-comment-comes-in-time
			st.end.Sub(now), // rule: stream-awaits-no-comment-beyond-its-end
		)
		if !st.started { // The first check only finds where the stream begins, or what it has missed.
			wait = 0 // rule: stream-is-checked-at-once-when-it-begins
		}
		request.Wait = max(wait, 0) // rule: stream-does-not-wait-like-a-poll
		st.due = now.Add(request.Wait)
	}
	s.endpoint.hub.Wait(&s.Waiter, request, receiver)
}

// Resume lets the subscriber wait on after a result that was dropped instead of being passed to Part. What
// the result contained is delivered again, with the latest state.
func (s *Subscriber) Resume() { s.endpoint.hub.Resume(&s.Waiter) }

// Cancel ends the wait because the client has gone. It reports whether the subscriber was waiting. If so,
// the receiver gets no result.
func (s *Subscriber) Cancel() bool { return s.endpoint.hub.Cancel(&s.Waiter) }

// Part returns the bytes of a result, which must not be changed, and whether they are the last ones. It must
// be called once for each result, before the next Wait.
func (s *Subscriber) Part(r *hub.Result) (body []byte, last bool) {
	st := s.stream
	if st == nil {
		s.countAnswer(r)
		return r.Encoded(pollEncoding, encodeAnswer), true
	}
	if s.query.Format != access.Native && s.isReplaced() {
		return s.withhold(r), true
	}
	now := time.Now()
	unchanged := len(r.Changed) == 0
	// A part without events before its time means that the endpoint is full, or drains.
	early := st.started && now.Before(st.due) &&
		unchanged // rule: stream-goes-on-after-an-event
	last = st.onePart || s.isReplaced() || s.isExpired(now) ||
		early || // rule: stream-ends-after-an-unchanged-answer-too-soon
		!now.Before(st.end) // rule: stream-ends-when-it-is-old
	s.query.Subscriptions = r.Cursors // rule: stream-goes-on-from-the-cursors-of-the-last-part
	if first := !st.started; first && unchanged {
		body = encodeFirst(r) // rule: stream-id-is-in-the-first-bytes
	} else {
		body = r.Encoded(int(s.query.Format), encoders[s.query.Format])
	}
	st.started = true
	return body, last
}

func (s *Subscriber) countAnswer(r *hub.Result) {
	s.answered = true
	if len(r.Changed) > 0 {
		s.endpoint.metrics.PollsChanged.Add(1)
	} else {
		s.endpoint.metrics.PollsUnchanged.Add(1)
	}
}

// ServeHTTP answers the request. It blocks until the last part has been sent, or the client has gone.
func (s *Subscriber) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	preamble := s.Begin(w.Header())
	defer s.Close()
	out := streamWriter{w, http.NewResponseController(w)}
	if s.stream != nil {
		w.WriteHeader(http.StatusOK)
		if out.write(preamble) != nil {
			return
		}
		if !out.canFlush() { // Nothing arrives before the end, so one part is all that makes sense.
			s.stream.onePart = true
		}
	}
	results := make(receiver, 1)
	for {
		s.Wait(results)
		select {
		case result := <-results:
			body, last := s.Part(result)
			switch {
			case s.stream == nil:
				respond(w, http.StatusOK, body)
			case out.write(body) != nil:
				return
			}
			if last {
				return
			}
		case <-r.Context().Done():
			s.Cancel()
			return
		}
	}
}

// receiver is a [hub.Receiver] with room for one result.
type receiver chan *hub.Result

func (r receiver) Deliver(result *hub.Result) { r <- result }
