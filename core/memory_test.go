package core_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"novcomet/core"
)

// memory is a Store by the clock of a synctest bubble, with everything at hand that a test may want to go wrong.
type memory struct {
	mu     sync.Mutex
	stamps map[core.ID]core.Stamp
	data   map[core.ID][]byte
	timing core.Timing
	fails  error
	closed error         // of the data alone
	slow   time.Duration // how long each look takes
	back   time.Duration // the clock
	looks  []time.Time
	asked  atomic.Int64 // events, in all looks
	read   atomic.Int64 // events, of which the data was asked for
}

func newMemory() *memory {
	return &memory{stamps: map[core.ID]core.Stamp{}, data: map[core.ID][]byte{}, timing: core.Timing{Lag: 20 * time.Millisecond}}
}

func (m *memory) Timing() core.Timing { return m.timing }

func (m *memory) Stamps(_ context.Context, ids []core.ID) (core.Snapshot, error) {
	time.Sleep(m.slow)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looks = append(m.looks, time.Now())
	m.asked.Add(int64(len(ids)))
	snapshot := core.Snapshot{Now: core.StampOf(time.Now().Add(-m.back))}
	for _, id := range ids {
		snapshot.Stamps = append(snapshot.Stamps, m.stamps[id])
	}
	return snapshot, m.fails
}

// looked returns when the store was looked at, after the start of the bubble.
func (m *memory) looked() (at []time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, look := range m.looks {
		at = append(at, look.Sub(start))
	}
	return at
}

func (m *memory) Publish(_ context.Context, id core.ID) (core.Stamp, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails != nil {
		return 0, m.fails
	}
	before := m.stamps[id]
	m.stamps[id] = core.StampOf(time.Now())
	if m.stamps[id] <= before && before.Sub(m.stamps[id]) <= 2*time.Second { // as Files does
		m.stamps[id] = before + 1
	}
	return m.stamps[id], nil
}

func (m *memory) PublishData(ctx context.Context, id core.ID, data []byte) (core.Stamp, error) {
	stamp, err := m.Publish(ctx, id)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		m.data[id] = data
	}
	return stamp, err
}

func (m *memory) Data(_ context.Context, ids []core.ID, limit int) ([]core.Content, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.read.Add(int64(len(ids)))
	data := make([]core.Content, len(ids))
	for i, id := range ids {
		data[i] = core.Limited(m.data[id], limit)
	}
	return data, m.closed
}

// fill gives the event data, and no new stamp.
func (m *memory) fill(t testing.TB, name, data string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.data[mustID(t, name)] = []byte(data)
}

// close makes the data, and nothing else, impossible to read; nil opens it.
func (m *memory) close(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = err
}

// set gives the event the stamp of a time; the zero time removes it.
func (m *memory) set(t testing.TB, name string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at.IsZero() {
		delete(m.stamps, mustID(t, name))
	} else {
		m.stamps[mustID(t, name)] = core.StampOf(at)
	}
}

func (m *memory) setBack(by time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.back = by
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fails = err
}

func mustID(t testing.TB, name string) core.ID {
	t.Helper()
	id, err := core.ParseID(name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// ask sends a GET request and returns the status and the body of its answer.
func ask(t testing.TB, h http.Handler, query string) (status int, body string) {
	t.Helper()
	return send(t, h, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/comet.php?"+query, nil))
}

func send(t testing.TB, h http.Handler, r *http.Request) (status int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}
