package hub

import (
	"bytes"
	"hash/maphash"
	"sync"

	"novcomet/core/event"
)

// Result is what a request is answered with. Requests with the same content share one, so it must not be
// changed.
type Result struct {
	// Changed are the events that were published, in the order of the request. It is empty if the request is
	// answered unchanged.
	Changed []Event
	// Cursors are what the client should send with its next poll, one for each subscription. Only precise
	// requests have them.
	Cursors []event.Subscription

	encoded [Encodings]struct {
		once  sync.Once
		bytes []byte
	}
}

// Event is one event of a [Result].
type Event struct {
	ID    event.ID
	Stamp event.Stamp
	Data  []byte // in the form that the request asks for; nil if it asks for none, or the event carries none
}

// Encodings is how many encodings a [Result] can have.
const Encodings = 4

// Encoded returns the result in an encoding; the caller numbers them from 0. It calls encode only the first
// time.
func (r *Result) Encoded(encoding int, encode func(*Result) []byte) []byte {
	e := &r.encoded[encoding]
	e.once.Do(func() { e.bytes = encode(r) })
	return e.bytes
}

// Size returns how many bytes the encoded result has at most.
func (r *Result) Size() int {
	const (
		frame    = 100 // around all events
		perEvent = 100 // for stamps, cursors and punctuation
		perByte  = 6   // JSON may write a byte of an id as \u003c.
		perID    = 3   // A changed event's id is repeated for its data and its cursor.
	)
	n := frame
	for _, e := range r.Changed {
		n += len(e.Data) + perEvent + perID*perByte*len(e.ID.String())
	}
	for _, c := range r.Cursors {
		n += perEvent + perByte*len(c.ID.String())
	}
	return n
}

// results makes the results of one batch. Waiters whose content is equal get the same one.
type results struct {
	byHash map[uint64]*Result
	data   map[*entry]payload // what the events of the batch carry
}

// payload is the data of an event in each [event.Form]. It has Lines only if a request asks for them.
type payload [event.Lines + 1][]byte

func newResults(data map[*entry]payload) *results {
	return &results{map[uint64]*Result{}, data}
}

func (rs *results) of(d *delivery) *Result {
	key := hash(d)
	if r := rs.byHash[key]; r != nil && rs.matches(d, r) {
		return r
	}
	r := &Result{}
	for i := range d.subscriptions {
		s := &d.subscriptions[i]
		if s.delivered != 0 {
			r.Changed = append(r.Changed, Event{s.ID, s.delivered, rs.dataOf(d, s)})
		}
		if d.precise {
			r.Cursors = append(r.Cursors, event.Subscription{ID: s.ID, Cursor: d.nextCursor(s)})
		}
	}
	rs.byHash[key] = r
	return r
}

func (rs *results) dataOf(d *delivery, s *subscription) []byte { return rs.data[s.entry][d.data] }

// content is what a result depends on, for each event of a request.
type content struct {
	id        event.ID
	delivered event.Stamp
	cursor    event.Cursor
	data      event.Form
}

var seed = maphash.MakeSeed()

func hash(d *delivery) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for i := range d.subscriptions {
		s := &d.subscriptions[i]
		c := content{id: s.ID, delivered: s.delivered, data: d.data}
		if d.precise {
			c.cursor = d.nextCursor(s)
		}
		maphash.WriteComparable(&h, c)
	}
	return h.Sum64()
}

// matches reports whether the result has the content of this delivery. Different contents can have the same
// hash.
func (rs *results) matches(d *delivery, r *Result) bool {
	changed, cursors := r.Changed, r.Cursors
	if d.precise != (cursors != nil) {
		return false
	}
	for i := range d.subscriptions {
		s := &d.subscriptions[i]
		if d.precise {
			if len(cursors) == 0 || cursors[0] != (event.Subscription{ID: s.ID, Cursor: d.nextCursor(s)}) {
				return false
			}
			cursors = cursors[1:]
		}
		if s.delivered == 0 {
			continue
		}
		if len(changed) == 0 || changed[0].ID != s.ID || changed[0].Stamp != s.delivered ||
			!bytes.Equal(changed[0].Data, rs.dataOf(d, s)) {
			return false
		}
		changed = changed[1:]
	}
	return len(changed) == 0 && len(cursors) == 0
}
