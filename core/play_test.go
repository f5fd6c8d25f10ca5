package core_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"novcomet/core"
)

// playback is what came of a history.
type playback struct {
	history *history
	*kernel
	clients []*client
	waiting int // polls that are still there when all is over
}

// process is one that serves, until another one takes its place. Each has a Notifier of its own.
type process struct {
	endpoint *core.Endpoint
	*watched
	drained time.Time // when it began to end; zero: it did not
}

// instant is a time by all clocks: the bubble's, the kernel's, and how much had been published by then.
type instant struct {
	at           time.Time
	clock        core.Stamp
	publications int
}

func (k *kernel) instant() instant {
	k.mu.Lock()
	defer k.mu.Unlock()
	return instant{time.Now(), k.clock(), len(k.publications)}
}

// play lets a history happen, in a bubble.
func (h *history) play(t *testing.T) *playback {
	k := &kernel{tick: h.tick, phase: h.phase, fine: h.fine, slow: h.slow, files: map[string]*inode{}}
	for name, age := range h.ages {
		k.touchTo(name, -age)
	}
	p := &playback{history: h, kernel: k}
	serving := &atomic.Pointer[process]{}
	processes := []*process{h.serve(k)}
	serving.Store(processes[0])
	var everybody sync.WaitGroup
	for i, s := range h.subscribers {
		c := &client{subscriber: s, now: k.instant, apart: time.Duration(i+1) * 10 * time.Nanosecond, limits: h.streams}
		p.clients = append(p.clients, c)
		leaves := min(s.joins+s.stays, h.end())
		everybody.Go(func() {
			ctx, cancel := context.WithDeadline(t.Context(), start.Add(leaves))
			defer cancel()
			time.Sleep(s.joins + c.apart)
			c.run(ctx, serving.Load)
		})
	}
	for _, step := range h.steps {
		time.Sleep(time.Until(start.Add(step.at)))
		if step.what == restarts {
			next := h.serve(k)
			processes = append(processes, next)
			serving.Swap(next).end()
			continue
		}
		step.happen(t, serving.Load())
	}
	everybody.Wait()
	k.setGone(whole, false)
	for _, served := range processes {
		p.waiting += served.endpoint.Waiting()
		served.endpoint.Close()
	}
	time.Sleep(time.Minute) // Time stands still when a bubble's first function has ended, and a look may be under way.
	return p
}

func (h *history) serve(k *kernel) *process {
	p := &process{watched: &watched{kernel: k, delay: h.listens}}
	var store core.Store = k
	if h.notifier {
		store = p.watched
	}
	p.endpoint = core.NewEndpoint(store, core.Settings{})
	p.endpoint.Log, p.endpoint.MaxWaiting, p.endpoint.MaxAnswerData, p.endpoint.Streams = discard, h.maxWaiting, h.room, h.streams
	return p
}

// end answers everybody who waits, as a process does before it ends.
func (p *process) end() {
	p.drained = time.Now()
	p.endpoint.Drain()
	p.endpoint.Close()
}

// happen lets it happen to the store, and the Notifier tell of it when an inotify would: after each change.
func (s happening) happen(t *testing.T, p *process) {
	before := p.count()
	tell := func() {
		if made := p.count() - before; made > 0 && !s.unheard {
			p.tell(p, mustID(t, s.event), made)
		}
		before = p.count()
	}
	defer tell()
	switch s.what {
	case publishes:
		_, _ = ask(t, p.endpoint, "publish="+s.event)
	case posts:
		_, _ = send(t, p.endpoint, newPut(s.event, s.data))
	case touches:
		p.touch(s.event)
	case renames:
		p.rename(s.event, s.data, s.by)
	case rewrites:
		p.truncate(s.event)
		tell()
		time.Sleep(s.by)
		p.write(s.event, s.data, s.begins, s.takes)
	case setsAhead:
		p.touchTo(s.event, s.by)
	case setsBack:
		p.setBack(s.by)
	case goes, comesBack:
		p.setGone(whole, s.what == goes)
	case closes, opens:
		p.setGone(ofData, s.what == closes)
	case goesDeaf:
		p.deafen()
	}
}
