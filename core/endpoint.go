package core

import (
	"cmp"
	"log/slog"
	"net/http"
	"sync/atomic"

	"novcomet/core/access"
	"novcomet/core/hub"
	"novcomet/core/metrics"
	"novcomet/core/store"
)

// Options configure an [Endpoint]. The zero Options are usable: every client may do everything, and polls
// do not wait.
type Options struct {
	// Location has the settings of every request without a location of its own ([WithLocation]).
	Location Location
	// Limits bound what all clients together can use.
	Limits Limits
	// Status answers the requests of a location whose Status is set; nil: the metrics as JSON.
	Status http.Handler
	// BeforeWait is called before ServeHTTP lets a request wait. If mayWait is false, a poll is answered as soon
	// as the delivery rules permit, and a stream ends after its first part. An error is logged and answered
	// with 500. nil: every request may wait.
	BeforeWait func() (mayWait bool, err error)
	// Metrics are the counters; nil: new ones. Two endpoints must not share them: each sets the gauges.
	Metrics *metrics.Metrics
	// Log gets a line for each problem; nil: slog.Default().
	Log *slog.Logger
}

// Limits bound what all clients of an [Endpoint] together can use. They can be changed with SetLimits.
type Limits struct {
	// Limits are those of waiting requests. If MaxData or MaxAnswerData is 0, [DefaultMaxData] or
	// [DefaultMaxAnswerData] applies. A publication with more than MaxData is refused with 413.
	hub.Limits
	// MaxForm is the largest form in a request's body, in bytes; 0: [DefaultMaxForm]. A larger one is
	// answered with 413.
	MaxForm int64
	// MaxStreams is how many streams may be open; 0: any number. A further stream gets one part and ends, so
	// that its browser asks again some seconds later. Streams become polling, and no client is lost.
	MaxStreams int
}

// Defaults of [Limits], in bytes.
const (
	DefaultMaxForm       = 64 << 10 // a thousand ids of ordinary length
	DefaultMaxData       = 64 << 10
	DefaultMaxAnswerData = 1 << 20
)

func (l Limits) withDefaults() *Limits {
	l.MaxForm = cmp.Or(l.MaxForm, DefaultMaxForm)
	l.MaxData = cmp.Or(l.MaxData, DefaultMaxData)
	l.MaxAnswerData = cmp.Or(l.MaxAnswerData, DefaultMaxAnswerData)
	return &l
}

// Endpoint is the URL in the place of comet.php. It is an [http.Handler].
type Endpoint struct {
	store      store.Store
	hub        *hub.Hub
	location   Location
	limits     atomic.Pointer[Limits]
	limiter    access.Limiter
	alarm      hub.Alarm // of MaxStreams
	status     http.Handler
	beforeWait func() (mayWait bool, err error)
	metrics    *metrics.Metrics
	log        *slog.Logger
}

// NewEndpoint returns the endpoint of the events in the store.
func NewEndpoint(s store.Store, o Options) *Endpoint {
	if o.Metrics == nil {
		o.Metrics = new(metrics.Metrics)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	e := &Endpoint{
		store: s, location: o.Location, status: o.Status, beforeWait: o.BeforeWait, metrics: o.Metrics, log: o.Log,
	}
	limits := o.Limits.withDefaults()
	e.limits.Store(limits)
	e.hub = hub.New(s, limits.Limits, o.Metrics, o.Log)
	return e
}

// Metrics returns the counters of the endpoint.
func (e *Endpoint) Metrics() *metrics.Metrics { return e.metrics }

// SetLimits replaces the limits. They apply to requests that arrive later, MaxData and MaxAnswerData to all
// later answers, too.
func (e *Endpoint) SetLimits(l Limits) {
	limits := l.withDefaults()
	e.limits.Store(limits)
	e.hub.SetLimits(limits.Limits)
}

// Drain answers all waiting requests, and those that still arrive, as soon as the delivery rules permit,
// within 4 s. It returns at once.
func (e *Endpoint) Drain() { e.hub.Drain() }

// Close stops watching the store when the last request has been answered. It returns at once. No request may
// arrive afterwards.
func (e *Endpoint) Close() { e.hub.Close() }

// Ended returns a channel that is closed when, after Close, no waiting request uses the store any more.
func (e *Endpoint) Ended() <-chan struct{} { return e.hub.Ended() }

// ServeHTTP answers a request. It blocks until the answer is complete.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	opened := e.Open(r)
	s := opened.Subscriber
	if s == nil {
		opened.Handler.ServeHTTP(w, r)
		return
	}
	if e.beforeWait != nil && s.mayWait() {
		mayWait, err := e.beforeWait()
		if err != nil {
			e.log.Error("polls cannot wait here", "error", err)
			const reason = "polls cannot wait here; the server's log says why"
			e.Refuse(s.location, r.Header.Get("Origin"), http.StatusInternalServerError, reason).ServeHTTP(w, r)
			return
		}
		if !mayWait {
			s.doNotWait()
		}
	}
	s.ServeHTTP(w, r)
}
