package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"novcomet/core/event"
	"novcomet/core/hub"
	"novcomet/core/internal/coretest"
	"novcomet/core/metrics"
	"novcomet/core/store"
)

// benchStore has one stamp for all events, and allocates nothing of its own in a check.
type benchStore struct {
	store.Store // nil: its methods are not called
	stamp       atomic.Int64
	data        []byte // of each event
	stamps      []event.Stamp
	contents    []store.Content
	changed     chan func(...event.ID)
}

func (s *benchStore) Timing() store.Timing { return store.Timing{} }

func (s *benchStore) Check(_ context.Context, ids []event.ID) (store.Snapshot, error) {
	stamp := event.Stamp(s.stamp.Load())
	s.stamps = s.stamps[:0]
	for range ids {
		s.stamps = append(s.stamps, stamp)
	}
	return store.Snapshot{Now: event.StampOf(time.Now()), Stamps: s.stamps}, nil
}

func (s *benchStore) Data(_ context.Context, ids []event.ID, _ int) ([]store.Content, error) {
	s.contents = s.contents[:0]
	for range ids {
		s.contents = append(s.contents, store.Content{Data: s.data})
	}
	return s.contents, nil
}

func (s *benchStore) Watch(ctx context.Context, _ store.Interest, changed func(...event.ID)) error {
	select {
	case s.changed <- changed:
	default:
		return errors.ErrUnsupported
	}
	changed()
	<-ctx.Done()
	return context.Cause(ctx)
}

// benchWaiter waits again when it gets a result.
type benchWaiter struct {
	hub.Waiter
	hub     *hub.Hub
	request hub.Request
	left    *sync.WaitGroup // waiters without a result
}

func (w *benchWaiter) Deliver(r *hub.Result) {
	copy(w.request.Subscriptions, r.Cursors)
	w.hub.Wait(&w.Waiter, w.request, w)
	w.left.Done()
}

func newBenchHub(dataSize int) (*hub.Hub, *benchStore) {
	s := &benchStore{changed: make(chan func(...event.ID), 1), data: bytes.Repeat([]byte("1"), dataSize)}
	s.stamp.Store(1)
	limits := hub.Limits{MaxData: 64 << 10, MaxAnswerData: 1 << 20}
	return hub.New(s, limits, &metrics.Metrics{}, coretest.Discard), s
}

func benchRequest(name string, data event.Form) hub.Request {
	id := coretest.MustID(name)
	return hub.Request{
		Subscriptions: []event.Subscription{{ID: id, Cursor: event.At(1)}}, Precise: true, Data: data,
		Wait: time.Hour, Pause: time.Hour,
	}
}

func BenchmarkHub_WaitAndCancel(b *testing.B) {
	h, _ := newBenchHub(0)
	request := benchRequest("a", event.NoData)
	other := &benchWaiter{request: benchRequest("b", event.NoData)}
	h.Wait(&other.Waiter, other.request, other) // The loop runs all the time.
	b.ReportAllocs()
	for b.Loop() {
		w := &benchWaiter{} // A canceled waiter cannot wait again.
		h.Wait(&w.Waiter, request, w)
		h.Cancel(&w.Waiter)
	}
	h.Cancel(&other.Waiter)
	h.Close()
	<-h.Ended()
}

// An operation is a publication of which all waiters get notice, and wait again.
func BenchmarkHub_Wake(b *testing.B) {
	const waiters = 10_000
	for _, bench := range []struct {
		name     string
		events   int
		data     event.Form
		dataSize int
	}{
		{"one event", 1, event.NoData, 0}, {"one event with data", 1, event.JSON, 7},
		{"one event with 64 KiB of data", 1, event.JSON, 64 << 10},
		{"distinct events", waiters, event.NoData, 0}, {"distinct events with data", waiters, event.JSON, 7},
	} {
		b.Run(bench.name, func(b *testing.B) {
			h, s := newBenchHub(bench.dataSize)
			var left sync.WaitGroup
			all := make([]benchWaiter, waiters)
			for i := range all {
				w := &all[i]
				w.hub, w.request, w.left = h, benchRequest(fmt.Sprint("e", i%bench.events), bench.data), &left
				h.Wait(&w.Waiter, w.request, w)
			}
			changed := <-s.changed
			b.ReportAllocs()
			for b.Loop() {
				left.Add(waiters)
				s.stamp.Add(1)
				changed()
				left.Wait()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/waiters, "ns/waiter")
			for i := range all {
				h.Cancel(&all[i].Waiter)
			}
			h.Close()
			<-h.Ended()
		})
	}
}
