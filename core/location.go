package core

import (
	"context"
	"sync/atomic"
	"time"

	"novcomet/core/access"
	"novcomet/core/hub"
)

// Location is the settings of a URL. A web site can have several locations with one [Endpoint].
type Location struct {
	// Tries is how often the events of a poll are checked, with Sleep between, until the poll is answered
	// unchanged; below 1: it is answered at once. comet.php had 20.
	Tries int
	// Sleep is the pause between two checks; less than 10 ms counts as 10 ms. comet.php had 2 s.
	Sleep time.Duration
	// Access says who may do what.
	Access access.Rules
	// StreamComment is the pause after which a stream without events gets a comment, so that the browser, the
	// web server and the endpoint notice a lost connection; 0: 20 s.
	StreamComment time.Duration
	// StreamEnd is the age at which a stream ends. Its browser then opens another one; 0: 10 minutes.
	StreamEnd time.Duration
	// Status makes the location answer every request with the metrics.
	Status bool
	// Replaced, once it is true, ends the location's streams, each with its next part, at the latest with the
	// next comment. Their browsers open new streams, to which the new settings apply. The last part of a stream
	// in one of Access.Formats has no events. It may be nil.
	Replaced *atomic.Bool
}

// Wait returns how long a poll waits until it is answered unchanged. A legacy poll can be held some seconds
// longer.
func (l *Location) Wait() time.Duration {
	return time.Duration(max(l.Tries, 0)) * max(l.Sleep, hub.MinPause)
}

// Client is what the web server or program knows of a request's sender beyond the HTTP request.
type Client struct {
	// User is the name of the authenticated user; "": the client is not authenticated.
	User string
	// Port is the port of the URL, if the web server leaves it out of Host, as Debian's nginx does; otherwise
	// "".
	Port string
}

type contextKey struct{}

type located struct {
	location *Location
	client   Client
}

// WithLocation sets the location and the client of a request. Without it, the endpoint's own location
// applies, and the client is not authenticated. The location must not be changed afterwards.
func WithLocation(ctx context.Context, l *Location, c Client) context.Context {
	return context.WithValue(ctx, contextKey{}, located{l, c})
}

func (e *Endpoint) locationOf(ctx context.Context) (*Location, Client) {
	if o, ok := ctx.Value(contextKey{}).(located); ok {
		return o.location, o.client
	}
	return &e.location, Client{}
}
