package core

import (
	"context"
	"time"
)

// Settings are what may differ from one location of a web site to another.
type Settings struct {
	// Tries is how often a poll's events are looked at, with Sleep between, until it is answered unchanged; below 1: it
	// is answered at once. comet.php had 20.
	Tries int
	// Sleep is the pause between two tries; below 10 ms counts as 10 ms. comet.php had 2 s.
	Sleep time.Duration
	// Access says who may do what; nil: the zero Access, with which everybody may do nearly everything.
	Access *Access
	// User is the name of the authenticated user; empty: nobody is authenticated. Whoever sets it vouches for it.
	User string
	// Port is the port at which the web server was asked, where it keeps it from the Host, as Debian's nginx does; empty: the
	// Host has it, or it is the usual one.
	Port string
	// StreamComment and StreamEnd are those of this location's streams; 0: those of the [Endpoint].
	StreamComment, StreamEnd time.Duration
	// Status says that this location answers with the Endpoint's figures, and with nothing else.
	Status bool
}

// Wait is how long a poll waits until it is answered unchanged. (A whole-second poll can be held longer, by up to 3 s
// where the client's clock is not far off, until the second is over that it goes by.)
func (s Settings) Wait() time.Duration {
	return time.Duration(max(s.Tries, 0)) * s.pause()
}

func (s Settings) pause() time.Duration {
	const shortest = 10 * time.Millisecond
	return max(s.Sleep, shortest)
}

type settingsKey struct{}

// WithSettings gives one request settings of its own, instead of those of the [Endpoint]. Whatever stands in front of
// the endpoint calls it: what reads a web server's variables, or a Go program's own middleware.
func WithSettings(ctx context.Context, s Settings) context.Context {
	return context.WithValue(ctx, settingsKey{}, s)
}

func (e *Endpoint) settings(ctx context.Context) Settings {
	if s, ok := ctx.Value(settingsKey{}).(Settings); ok {
		return s
	}
	return e.Settings
}

var open Access

func (s Settings) access() *Access {
	if s.Access == nil {
		return &open
	}
	return s.Access
}
