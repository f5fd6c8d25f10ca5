package soak

import (
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// record is what has happened so far.
type record struct {
	mu           sync.Mutex // protects the following
	publications []publication
	outages      []outage
	reloads      int
	answers      int
	unchanged    int            // of the answers
	errors       map[string]int // by kind
}

// outage is a time in which nothing can be told: comet-fcgi was ending or not there, and requests waited in its socket.
type outage struct{ from, to time.Time }

// publication is a change of an event's file by another process.
type publication struct {
	id, way    string
	begin, end time.Time // of that process or request
	// stamp is what the file had afterwards. Others publish at the same time, so that it may be a later publication's than
	// this one: but it was there, and whoever has been told of it has been told of both.
	stamp time.Time
}

// failed counts an error by its kind.
func (r *record) failed(what string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors[what+": "+kindOf(err)]++
}

// kindOf leaves out what differs from one error to the next of a kind: addresses and queries.
func kindOf(err error) string {
	if outer := new(url.Error); errors.As(err, &outer) {
		err = outer.Err
	}
	if outer := new(net.OpError); errors.As(err, &outer) {
		return fmt.Sprintf("%s: %v", outer.Op, outer.Err)
	}
	return err.Error()
}

func (s *soak) progress() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	errors := 0
	for _, n := range s.record.errors {
		errors += n
	}
	return fmt.Sprintf("%s, %d pages: %d publications, %d answers, %d restarts, %d reloads, %d errors",
		s.options.Server, s.options.Pages, len(s.publications), s.answers, len(s.outages), s.reloads, errors)
}
