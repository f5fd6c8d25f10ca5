package core

import (
	"net/http"
	"slices"
	"time"

	"github.com/pkg/errors"

	"novcomet/core/hub"
)

// stream is the state of a stream.
type stream struct {
	end     time.Time // when it ends
	due     time.Time // when the next part is due, events or not
	started bool      // A part was made.
	onePart bool      // It ends after its first part: there are too many streams, or it cannot be flushed.
}

// withhold returns the last part of a stream whose location has been replaced: an id, and no events. The new
// settings may let visitors publish them, and a page would insert their HTML. The id has the old cursors of
// the events, so a new stream delivers them if the new settings allow it.
func (s *Subscriber) withhold(r *hub.Result) []byte {
	cursors, changed := slices.Clone(r.Cursors), r.Changed
	for i, c := range cursors { // Cursors, changed events and subscriptions have the same order.
		if len(changed) > 0 && changed[0].ID == c.ID {
			cursors[i], changed = s.query.Subscriptions[i], changed[1:]
		}
	}
	return encodeFirst(&hub.Result{Cursors: cursors})
}

func (s *Subscriber) isReplaced() bool {
	return s.location.Replaced != nil && s.location.Replaced.Load()
}

// isExpired reports whether a token with which the stream was opened has expired. The stream then ends at its
// next comment at the latest, and its browser needs a new token.
func (s *Subscriber) isExpired(now time.Time) bool {
	_, reason := s.location.Access.Signed.Denied(s.query.Subscriptions, s.query.Tokens, now)
	return reason != ""
}

// StreamWriteTimeout is how long a stream waits for a client that reads nothing. Then the connection is
// closed.
const StreamWriteTimeout = 30 * time.Second

// streamWriter writes a stream to a client that may be slow.
type streamWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

// write writes and flushes. It writes pieces, each with a time limit of its own, so that a slow client is not
// taken for one that has gone.
func (w streamWriter) write(body []byte) (err error) {
	const piece = 64 << 10
	for part := range slices.Chunk(body, piece) {
		// Without deadlines, as in CGI, the web server's own limit applies.
		_ = w.control.SetWriteDeadline(time.Now().Add(StreamWriteTimeout))
		if _, err := w.Write(part); err != nil {
			return errors.Wrap(err, "send a part of a stream")
		}
	}
	err = w.control.Flush() // rule: stream-is-flushed
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return errors.Wrap(err, "send a part of a stream")
}

func (w streamWriter) canFlush() bool { return !errors.Is(w.control.Flush(), http.ErrNotSupported) }
