package core

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// StreamLimits are those of Server-Sent Events, for a whole Endpoint. [Settings] can set Comment and End for a location.
type StreamLimits struct {
	// Max is how many streams there may be; 0: any number. One beyond is told what is new and ended, so that its browser
	// asks again some seconds later: streams become polling, and no client is lost.
	Max int
	// Comment is the pause after which a stream in which nothing happens gets a comment, so that whoever is between finds
	// out whether the other side is still there; 0: 20 s.
	Comment time.Duration
	// End is the age at which a stream is ended in an orderly way, so that its browser comes again; 0: 10 minutes.
	End time.Duration
}

// Stream is a request that is answered again and again, with Server-Sent Events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html). It is a subscriber that polls precisely, only within the
// process: each answer is sent, and only then the next poll comes, with the cursors of the last. So the promise for polls
// holds for streams, and a slow reader misses what happens in between, but not the latest.
type Stream struct {
	endpoint *Endpoint
	settings Settings
	sharing  sharing
	query    Query
	end      time.Time
	due      time.Time // when the poll that waits is to be answered at the latest
	asked    bool      // there was a poll before
	surplus  bool      // there are too many streams
}

func newStream(e *Endpoint, r *http.Request, query Query, s Settings, share sharing) *Stream {
	id := query.LastEventID
	if header := r.Header.Get("Last-Event-ID"); header != "" { // A browser that comes again: the URL is the old one.
		id = header
	}
	if id != "" {
		resume(query.Subscriptions, id)
	}
	query.streams = true
	return &Stream{endpoint: e, settings: s, sharing: share, query: query}
}

// Begin takes one more stream in, which End must take out. It writes the header and the first bytes, which tell the
// browser at once that the stream is there.
func (s *Stream) Begin(w http.ResponseWriter) {
	s.sharing.on(http.HandlerFunc(s.begin)).ServeHTTP(w, nil)
}

func (s *Stream) begin(w http.ResponseWriter, _ *http.Request) {
	count := s.endpoint.streaming.Add(1)
	s.endpoint.counts.began.Add(1)
	limits := s.endpoint.Streams
	s.surplus = limits.Max > 0 && count > int64(limits.Max)
	s.end = time.Now().Add(cmp.Or(s.settings.StreamEnd, limits.End, 10*time.Minute))
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform") // Who compresses, collects.
	h.Set("X-Accel-Buffering", "no")                 // nginx would collect it, too.
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	// Thousands that are ended at the same time must not come back at the same time.
	const soonest, spread = 1000, 2000
	fmt.Fprintf(w, "retry: %d\n: NovComet\n\n", soonest+rand.IntN(spread))
}

// End takes the stream out.
func (s *Stream) End() { s.endpoint.streaming.Add(-1) }

// Next lets the stream wait for what comes next, and returns at once. done is called with it, by the loop, so it must not
// block. leave gives the stream up, and reports whether that was in time: if so, done will not be called.
//
// It must not be called again before the part has been sent, nor after one that is the last.
func (s *Stream) Next(done func(StreamPart)) (leave func() bool) {
	now := time.Now()
	query, settings := s.query, s.settings
	query.MaxWait = 0 // The first look only finds out where the stream begins, or what it has missed.
	if s.asked {
		query.MaxWait = min(cmp.Or(s.settings.StreamComment, s.endpoint.Streams.Comment, 20*time.Second), s.end.Sub(now))
	}
	query.MaxWait = max(query.MaxWait, 0)
	s.due = now.Add(query.MaxWait)
	settings.Tries = int(query.MaxWait/max(settings.Sleep, time.Millisecond)) + 1 // It has no wait of its own.
	return s.endpoint.loop.Enter(query, settings, func(a Answer) { done(s.part(a)) })
}

// part takes in an answer. Where nothing happened, and that too soon, the endpoint is full or about to end.
func (s *Stream) part(a Answer) StreamPart {
	p := StreamPart{answer: a, first: !s.asked}
	now := time.Now()
	idle := len(a.Changed) == 0
	p.last = s.surplus || s.endpoint.retired.Load() || s.expired(now) || !now.Before(s.end) || idle && s.asked && now.Before(s.due)
	p.id = lastEventID(a.Cursors)
	s.asked = true
	s.query.Subscriptions = a.Cursors
	return p
}

// ServeHTTP sends the stream to whoever calls it by HTTP or CGI, until its end or the client's. What is parked instead
// calls Begin, Next and End itself.
func (s *Stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Begin(w)
	defer s.End()
	out := http.NewResponseController(w)
	for last := false; !last; {
		switch err := out.Flush(); {
		case errors.Is(err, http.ErrNotSupported): // Nobody would see more of it than its end.
			s.surplus = true
		case err != nil:
			return
		}
		parts := make(chan StreamPart, 1)
		leave := s.Next(func(p StreamPart) { parts <- p })
		select {
		case p := <-parts:
			last = p.Last()
			if send(w, out, p.Append(nil)) != nil {
				return
			}
		case <-r.Context().Done():
			leave()
			return
		}
	}
}

// send writes what a stream is sent, in pieces, so that a client which is only slow is not taken for one that is gone.
func send(w io.Writer, out *http.ResponseController, text []byte) error {
	const piece = 64 << 10
	for part := range slices.Chunk(text, piece) {
		// Where there are no deadlines, as in CGI, the web server's own limit ends it.
		_ = out.SetWriteDeadline(time.Now().Add(StreamPatience))
		if _, err := w.Write(part); err != nil {
			return errors.Wrap(err, "send a part of a stream")
		}
	}
	return nil
}

// StreamPatience is how long a client may take nothing of what a stream sends, until it is dropped.
const StreamPatience = 30 * time.Second

// expired reports whether the tokens that the stream was opened with are valid no longer. It ends then, after the next
// comment at the latest; its browser will need a new one.
func (s *Stream) expired(now time.Time) bool {
	return s.settings.access().Signed.refuse(s.query, now) != nil
}

// StreamPart is what a stream is to be sent at one time.
type StreamPart struct {
	answer      Answer
	id          string
	first, last bool
}

// Last reports whether the stream ends with it.
func (p StreamPart) Last() bool { return p.last }

// Size is about how many bytes it has.
func (p StreamPart) Size() int { return p.answer.size() }

// Append appends its bytes: an event for each that has changed, with what a precise poll would be answered about it. The
// last one has the id, from which the stream can be resumed: whoever has lost it halfway is told of all of them again.
func (p StreamPart) Append(b []byte) []byte {
	at := map[ID]Cursor{}
	if len(p.answer.Changed) > 0 {
		for _, s := range p.answer.Cursors {
			at[s.ID] = s.Cursor
		}
	}
	for i, event := range p.answer.Changed {
		b = append(append(append(b, "event: "...), event.ID.String()...), "\ndata: "...)
		b = Answer{[]Event{event}, []Subscription{{event.ID, at[event.ID]}}}.appendJSON(b)
		if i == len(p.answer.Changed)-1 {
			b = append(append(b, "\nid: "...), p.id...)
		}
		b = append(b, "\n\n"...)
	}
	switch {
	case len(p.answer.Changed) > 0:
	case p.first: // An id of its own is no event, but the browser keeps it: from here on nothing can be missed.
		b = append(append(append(b, "id: "...), p.id...), "\n\n"...)
	default:
		b = append(b, ":\n\n"...)
	}
	return b
}

// lastEventID is what a stream resumes from: the cursors in the order of the query, without the ids, for it comes back in
// a header.
func lastEventID(cursors []Subscription) string {
	var id strings.Builder
	for i, s := range cursors {
		if i > 0 {
			id.WriteByte(',')
		}
		id.WriteString(s.Cursor.String())
	}
	return id.String()
}

// resume sets the cursors to those of a last event id. One that does not belong to this query says nothing: the stream then
// tells of every event that there is, rather than of too few.
func resume(subscriptions []Subscription, id string) {
	cursors := strings.Split(id, ",")
	known := len(cursors) == len(subscriptions)
	for i := range subscriptions {
		cursor := Cursor{kind: precise} // nothing seen
		if known {
			if parsed, err := ParseCursor(cursors[i]); err == nil && parsed.kind != preciseNow && !parsed.fromNow() {
				cursor = parsed
			}
		}
		subscriptions[i].Cursor = cursor
	}
}

// wantsStream reports whether the client takes Server-Sent Events, as EventSource says.
func wantsStream(h http.Header) bool {
	for _, value := range h.Values("Accept") {
		for mediaType := range strings.SplitSeq(value, ",") {
			mediaType, _, _ = strings.Cut(mediaType, ";")
			if strings.EqualFold(strings.TrimSpace(mediaType), "text/event-stream") {
				return true
			}
		}
	}
	return false
}
