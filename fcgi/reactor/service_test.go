package reactor

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"novcomet/core"
	"novcomet/core/cgienv"
	"novcomet/core/event"
	"novcomet/core/hub"
	"novcomet/core/store"
	"novcomet/fcgi/fastcgi"
)

// memoryStore is a store without files or servers. Its clock is that of a synctest bubble.
type memoryStore struct {
	core.CheckFunc
	publish func() // is called by each publication, unless it is nil

	mu     sync.Mutex
	stamps map[event.ID]event.Stamp
	data   map[event.ID][]byte
}

func newMemoryStore() *memoryStore {
	return &memoryStore{stamps: map[event.ID]event.Stamp{}, data: map[event.ID][]byte{}}
}

func (m *memoryStore) Check(_ context.Context, ids []event.ID) (store.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	snapshot := store.Snapshot{Now: event.StampOf(time.Now())}
	for _, id := range ids {
		snapshot.Stamps = append(snapshot.Stamps, m.stamps[id])
	}
	return snapshot, nil
}

func (m *memoryStore) Publish(ctx context.Context, id event.ID, data []byte) (event.Stamp, error) {
	if m.publish != nil {
		m.publish()
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stamps[id] = max(event.StampOf(time.Now()), m.stamps[id]+1)
	m.data[id] = data
	return m.stamps[id], nil
}

func (m *memoryStore) Data(_ context.Context, ids []event.ID, limit int) (all []store.Content, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		all = append(all, store.Limited(m.data[id], limit))
	}
	return all, nil
}

// testService is a service as that of comet-fcgi. Polls wait for ten seconds, with a check each second. A
// request must be complete after five seconds.
type testService struct {
	handler  cgienv.Handler
	location core.Location
	open     func(*fastcgi.Request) // is called by Open, unless it is nil
}

func newTestService(log *slog.Logger, m *memoryStore) *testService {
	const mostData = 1 << 20
	s := &testService{location: core.Location{Tries: 10, Sleep: time.Second}}
	s.handler = cgienv.Handler{
		Log:      log,
		Location: func(map[string]string) (*core.Location, error) { return &s.location, nil },
		Endpoint: core.NewEndpoint(m, core.Options{
			Log: log, Limits: core.Limits{Limits: hub.Limits{MaxData: mostData, MaxAnswerData: 8 * mostData}, MaxForm: mostData},
		}),
	}
	return s
}

// blocks is a variable of requests that may not be opened on the loop.
const blocks = "BLOCKS"

func (s *testService) Open(r *fastcgi.Request, mayBlock bool) Opened {
	if s.open != nil {
		s.open(r)
	}
	switch {
	case r.Variables[blocks] != "" && !mayBlock:
		return Opened{Blocks: true}
	case errors.Is(r.Refused, ErrFull):
		return s.refuse(r, http.StatusServiceUnavailable)
	case r.Refused != nil:
		return s.refuse(r, http.StatusRequestEntityTooLarge)
	}
	return Opened{Opened: s.handler.Open(r.Variables, bytes.NewReader(r.Body))}
}

func (s *testService) refuse(r *fastcgi.Request, status int) Opened {
	return Opened{Opened: core.Opened{Handler: s.handler.Refuse(r.Variables, status, r.Refused.Error())}}
}

const requestTimeout = 5 * time.Second

func (s *testService) Limits() Limits {
	const most = 1 << 20
	return Limits{Limits: fastcgi.Limits{Params: most, Body: most}, Time: requestTimeout}
}
