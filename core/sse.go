package core

import (
	"fmt"
	"html"
	"math/rand/v2"
	"net/http"
	"strings"

	"novcomet/core/access"
	"novcomet/core/event"
	"novcomet/core/hub"
)

// Server-Sent Events, https://html.spec.whatwg.org/multipage/server-sent-events.html

// encoders encode a part of a stream in each format, and the answer to a poll.
var encoders = [hub.Encodings]func(*hub.Result) []byte{
	access.Native: encodePart, access.Raw: encodeRaw, access.Turbo: encodeTurbo, pollEncoding: encodeAnswer,
}

const pollEncoding = hub.Encodings - 1 // The others are formats.

// wantsStream reports whether the client accepts Server-Sent Events, as EventSource says.
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

func setStreamHeader(h http.Header) {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform") // A proxy that compresses also buffers.
	h.Set("X-Accel-Buffering", "no")                 // nginx must not buffer.
	h.Set("X-Content-Type-Options", "nosniff")
}

// streamPreamble returns the first bytes of a stream. They show the browser at once that the stream is open.
// The retry time is random, so that thousands of streams that end at the same time do not come back at the
// same time.
func streamPreamble() []byte {
	const soonest, spread = 1000, 2000 // milliseconds
	return fmt.Appendf(nil, "retry: %d\n: NovComet\n\n", soonest+rand.IntN(spread))
}

// encodeFirst returns the part of a stream that only has an id. The browser keeps it, so from here on nothing
// can be missed.
func encodeFirst(r *hub.Result) []byte {
	b := []byte("id: ")
	b = appendLastEventID(b, r.Cursors) // rule: stream-id-is-that-of-the-answer
	return append(b, "\n\n"...)
}

// encodePart returns a part of a stream: for each changed event, the answer that a precise poll would get.
func encodePart(r *hub.Result) []byte {
	cursors := r.Cursors
	return encodeEvents(r, func(b []byte, e hub.Event) []byte {
		for cursors[0].ID != e.ID { // Cursors and changed events have the same order.
			cursors = cursors[1:]
		}
		return appendAnswer(beginNamedEvent(b, e), []hub.Event{e}, cursors[:1])
	})
}

// encodeRaw returns a part of a stream: the data of each changed event, as it was published. An event without
// data has one empty line of data; without a line, EventSource would drop the event.
func encodeRaw(r *hub.Result) []byte {
	return encodeEvents(r, func(b []byte, e hub.Event) []byte {
		return append(beginNamedEvent(b, e), e.Data...)
	})
}

// encodeTurbo returns a part of a stream: a Turbo Stream for each changed event. It replaces the element of
// the page whose id is that of the event; if the event has no data, it makes the page load itself again. It
// has no name, because Turbo ignores events with one.
func encodeTurbo(r *hub.Result) []byte {
	return encodeEvents(r, func(b []byte, e hub.Event) []byte {
		if e.Data == nil {
			return append(b, `data: <turbo-stream action="refresh"></turbo-stream>`...)
		}
		target := html.EscapeString(e.ID.String())
		b = append(append(b, `data: <turbo-stream action="replace" target="`...), target...)
		b = append(append(b, `"><template>`...), e.Data...)
		return append(b, "</template></turbo-stream>"...)
	})
}

// beginNamedEvent appends the name of an event, which is its id, and begins its data.
func beginNamedEvent(b []byte, e hub.Event) []byte {
	return append(append(append(b, "event: "...), e.ID.String()...), "\ndata: "...)
}

// encodeEvents returns a part of a stream. appendEvent appends the lines of an event, without the last
// newline. Only the last event has the id from which the stream can be resumed, so a client that loses the
// connection in the middle gets all of them again. A part without events is a comment.
func encodeEvents(r *hub.Result, appendEvent func([]byte, hub.Event) []byte) []byte {
	if len(r.Changed) == 0 {
		return []byte(":\n\n")
	}
	var b []byte
	for i, e := range r.Changed {
		b = appendEvent(b, e)      // rule: stream-sends-each-changed-event
		if i == len(r.Changed)-1 { // rule: stream-id-is-in-the-last-event-of-a-part
			b = appendLastEventID(append(b, "\nid: "...), r.Cursors) // rule: stream-id-is-in-each-part-with-events
		}
		b = append(b, "\n\n"...)
	}
	return b
}

// appendLastEventID appends what a stream is resumed from: the cursors in the order of the query. The ids are
// left out, because it comes back in a header.
func appendLastEventID(b []byte, cursors []event.Subscription) []byte {
	for i, s := range cursors {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, s.Cursor.String()...) // rule: stream-id-has-the-cursors-in-order
	}
	return b
}

// resume sets the cursors to those of a last event id. If it does not belong to this query, the stream starts
// with all events that exist: a duplicate is better than a loss.
func resume(subscriptions []event.Subscription, lastEventID string) {
	cursors := strings.Split(lastEventID, ",")
	matches := len(cursors) == len(subscriptions)
	for i := range subscriptions {
		subscriptions[i].Cursor = event.At(0) // rule: stream-with-an-invalid-id-has-seen-nothing
		if !matches {
			continue
		}
		parsed, err := event.ParseCursor(cursors[i])
		if kind := parsed.Kind(); err == nil &&
			(kind == event.Precise || kind == event.Legacy) { // rule: stream-id-never-means-from-now
			subscriptions[i].Cursor = parsed // rule: stream-goes-on-from-the-cursor-of-each-event
		}
	}
}
