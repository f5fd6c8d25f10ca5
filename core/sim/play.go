package sim

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"novcomet/core"
	"novcomet/core/event"
	"novcomet/core/hub"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
)

// start is when the time of a synctest bubble begins.
var start = coretest.Start

// Record is what happened when a history was played.
type Record struct {
	history *History
	*kernel
	clients []*client
	waiting int // polls that still wait in the end
}

// Play plays the history. It must be called in a new synctest bubble. serve starts a server of the endpoint,
// which decides itself how slowly its clients read. If serve is nil, the clients call the endpoint.
func (h *History) Play(ctx context.Context, serve func(*core.Endpoint) Server) *Record {
	k := &kernel{tick: h.tick, phase: h.phase, fine: h.fine, latency: h.latency, files: map[string]*inode{}}
	for name, age := range h.ages {
		k.touchTo(name, -age)
	}
	r := &Record{history: h, kernel: k}
	serving := &atomic.Pointer[process]{}
	processes := []*process{h.startProcess(k, serve)}
	serving.Store(processes[0])
	var running sync.WaitGroup
	for i, profile := range h.clients {
		c := &client{profile: profile, now: k.now, offset: time.Duration(i+1) * 10 * time.Nanosecond}
		c.location = &core.Location{
			Tries: c.tries, Sleep: c.sleep, StreamComment: h.streamComment, StreamEnd: h.streamEnd,
		}
		if c.stream != nil && serve == nil {
			c.slow = c.stream.slow
		}
		r.clients = append(r.clients, c)
		leaves := min(c.joins+c.stays, h.end())
		running.Go(func() {
			ctx, cancel := context.WithDeadline(ctx, start.Add(leaves))
			defer cancel()
			time.Sleep(c.joins + c.offset)
			c.run(ctx, serving.Load)
		})
	}
	for _, s := range h.steps {
		time.Sleep(time.Until(start.Add(s.at)))
		if s.action != restart {
			s.happen(serving.Load())
			continue
		}
		next := h.startProcess(k, serve)
		processes = append(processes, next)
		serving.Swap(next).drain()
	}
	running.Wait()
	k.setFailed(wholeStore, false)
	synctest.Wait()
	for _, p := range processes {
		r.waiting += int(p.endpoint.Metrics().Waiting.Load())
		p.server.Close()
	}
	// A check may be under way, and time stands still after the bubble's first function returns.
	time.Sleep(time.Minute)
	return r
}

// process is a server process. Another one may replace it.
type process struct {
	*kernel
	endpoint *core.Endpoint
	server   Server
	delay    time.Duration // until Watch watches
	noWatch  bool
	drained  time.Time // when it began to drain; zero: it did not

	watchMu sync.Mutex
	changed func(...event.ID)
	fail    chan struct{} // closed to end the Watch that runs
	watched []time.Time   // when each Watch began to watch
}

var _ store.Store = (*process)(nil)

func (h *History) startProcess(k *kernel, serve func(*core.Endpoint) Server) *process {
	p := &process{kernel: k, delay: h.watchDelay, noWatch: !h.watch}
	p.endpoint = core.NewEndpoint(p, core.Options{
		Limits: core.Limits{
			Limits:     hub.Limits{MaxWaiting: h.maxWaiting, MaxAnswerData: h.maxAnswerData},
			MaxStreams: h.maxStreams,
		},
		Log: coretest.Discard,
	})
	if p.server = (direct{p.endpoint}); serve != nil {
		p.server = serve(p.endpoint)
	}
	return p
}

// Watch watches after a delay. It misses the changes for which notify is not called.
func (p *process) Watch(ctx context.Context, _ store.Interest, changed func(...event.ID)) error {
	if p.noWatch {
		return errors.ErrUnsupported
	}
	select {
	case <-time.After(p.delay):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	fail := make(chan struct{})
	p.watchMu.Lock()
	p.changed, p.fail = changed, fail
	p.watched = append(p.watched, time.Now())
	p.watchMu.Unlock()
	changed()
	select {
	case <-fail:
		return errors.New("simulated failure of the watch")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// notify notifies of the last n publications, if somebody watches.
func (p *process) notify(id event.ID, n int) {
	p.watchMu.Lock()
	defer p.watchMu.Unlock()
	if p.changed == nil {
		return
	}
	p.mu.Lock()
	for i := range n {
		p.publications[len(p.publications)-1-i].notified[p] = time.Now()
	}
	p.mu.Unlock()
	p.changed(id)
}

// failWatch makes Watch return an error. For a while, there are no notifications.
func (p *process) failWatch() {
	p.watchMu.Lock()
	defer p.watchMu.Unlock()
	if p.changed != nil {
		close(p.fail)
		p.changed = nil
	}
}

func (p *process) drain() {
	p.drained = time.Now()
	p.server.Drain()
}

// happen does the step. As inotify would, it notifies the process after each change.
func (s step) happen(p *process) {
	before := p.now().publications
	notify := func() {
		made := p.now().publications - before
		if before += made; made > 0 && !s.unnoticed {
			p.notify(coretest.MustID(s.event), made)
		}
	}
	defer notify()
	switch s.action {
	case publish:
		p.request(http.MethodGet, s.event, "")
	case publishData:
		p.request(http.MethodPut, s.event, s.data)
	case touch:
		p.touch(s.event)
	case rename:
		p.rename(s.event, s.data, s.by)
	case rewrite:
		p.truncate(s.event)
		notify()
		time.Sleep(s.by)
		p.write(s.event, s.data, s.begins, s.takes)
	case touchAhead:
		p.touchTo(s.event, s.by)
	case setClockBack:
		p.setClockBack(s.by)
	case failStore, repairStore:
		p.setFailed(wholeStore, s.action == failStore)
	case failData, repairData:
		p.setFailed(dataOnly, s.action == failData)
	case failWatch:
		p.failWatch()
	}
}

func (p *process) request(method, name, body string) {
	r := httptest.NewRequest(method, "/comet.php?publish="+name, strings.NewReader(body))
	p.server.Serve(&recorder{ResponseRecorder: httptest.NewRecorder(), now: p.now}, r, &core.Location{})
}
