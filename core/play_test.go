package core_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"novcomet/core"
)

// playback is what came of a history.
type playback struct {
	history *history
	*kernel
	heard   []time.Time // when the notifier began to listen
	clients []*client
	waiting int // polls that are still there when all is over
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
	var store core.Store = k
	notifier := &watched{kernel: k, delay: h.listens}
	if h.notifier {
		store = notifier
	}
	endpoint := core.NewEndpoint(store, core.Settings{})
	endpoint.Log, endpoint.MaxWaiting = discard, h.maxWaiting
	var everybody sync.WaitGroup
	for i, s := range h.subscribers {
		c := &client{subscriber: s, now: k.instant, apart: time.Duration(i+1) * 10 * time.Nanosecond}
		p.clients = append(p.clients, c)
		leaves := min(s.joins+s.stays, h.end())
		everybody.Go(func() {
			ctx, cancel := context.WithDeadline(t.Context(), start.Add(leaves))
			defer cancel()
			time.Sleep(s.joins + c.apart)
			c.run(ctx, endpoint)
		})
	}
	for _, step := range h.steps {
		time.Sleep(time.Until(start.Add(step.at)))
		step.happen(t, endpoint, notifier)
	}
	everybody.Wait()
	p.waiting, p.heard = endpoint.Waiting(), notifier.heard
	k.setGone(false)
	endpoint.Close()
	time.Sleep(time.Minute) // Time stands still when a bubble's first function has ended, and a look may be under way.
	return p
}

func (s happening) happen(t *testing.T, endpoint *core.Endpoint, store *watched) {
	before := store.count()
	switch s.what {
	case publishes:
		_, _ = ask(t, endpoint, "publish="+s.event)
	case touches:
		store.touch(s.event)
	case rewrites:
		store.touch(s.event)
		time.Sleep(s.by)
		store.touch(s.event)
	case setsAhead:
		store.touchTo(s.event, s.by)
	case setsBack:
		store.setBack(s.by)
	case goes, comesBack:
		store.setGone(s.what == goes)
	case goesDeaf:
		store.deafen()
	}
	if made := store.count() - before; made > 0 && !s.unheard {
		store.tell(mustID(t, s.event), made)
	}
}
