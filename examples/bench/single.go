package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// measureSingle measures how soon a single waiter has its answer, by a publication's request and by a touch.
//
// Where an answer takes seconds, several are measured at the same time, each with an event of its own: it does not matter
// there, for the program sleeps.
func (s *subject) measureSingle(ctx context.Context, o options, m *measurement, say func(string)) error {
	for _, way := range []struct {
		key     string
		publish func(id string) error
	}{{"url", s.publish}, {"touch", s.touch}} {
		say("publishing by " + way.key)
		if err := s.createEvents(s.lanes); err != nil {
			return err
		}
		latencies, err := s.lanesOf(ctx, o.samples, way.publish)
		if err != nil {
			return err
		}
		for _, latency := range latencies {
			m.add(way.key, latency.Seconds())
		}
		m.add(way.key+"_p50", m.Figures[way.key].quantile(0.5))
		m.add(way.key+"_p99", m.Figures[way.key].quantile(0.99))
	}
	return nil
}

func (s *subject) lanesOf(ctx context.Context, n int, publish func(id string) error) ([]time.Duration, error) {
	var mu sync.Mutex
	var latencies []time.Duration
	var failed error
	var lanes sync.WaitGroup
	for lane := range s.lanes {
		lanes.Go(func() {
			some, err := s.samplesOf(ctx, event(lane), (n+s.lanes-1)/s.lanes, publish)
			mu.Lock()
			defer mu.Unlock()
			latencies = append(latencies, some...)
			if err != nil {
				failed = err
			}
		})
	}
	lanes.Wait()
	return latencies, failed
}

// samplesOf lets a single waiter have n answers, one after the other.
func (s *subject) samplesOf(ctx context.Context, id string, n int, publish func(id string) error) ([]time.Duration, error) {
	w := newWaiter(s)
	defer w.leave()
	err := w.watch(id)
	var latencies []time.Duration
	for err == nil && len(latencies) < n {
		var latency time.Duration
		if latency, err = s.singleSample(w, publish); err == nil {
			latencies, err = append(latencies, latency), context.Cause(ctx)
		}
	}
	return latencies, err
}

// singleSample lets w wait, publishes, and returns how long the answer took.
func (s *subject) singleSample(w *waiter, publish func(id string) error) (time.Duration, error) {
	if err := w.ask(); err != nil {
		return 0, err
	}
	const settled = 20 * time.Millisecond
	random := 5 * time.Millisecond
	if s.lanes > 1 {
		random = sleep // so that it is published at any time between two looks
	}
	time.Sleep(settled + rand.N(random))
	var at time.Time
	var err error
	var answered sync.WaitGroup
	answered.Go(func() { at, err = w.answer() })
	start := time.Now()
	if err := publish(w.id); err != nil {
		w.leave()
		answered.Wait()
		return 0, err
	}
	answered.Wait()
	return at.Sub(start), err
}
