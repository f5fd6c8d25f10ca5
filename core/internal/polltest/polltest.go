//go:build linux

// Package polltest has clients that poll an endpoint all the time, as pages do. Tests of stores with real
// servers compare what the clients see with what was published.
package polltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/servertest"
	"novcomet/core/store"
)

// Client polls for one event.
type Client struct {
	Event   string
	Precise bool // otherwise it sends legacy polls
}

// Both returns a precise and a legacy client for each event.
func Both(events ...string) (clients []Client) {
	for _, name := range events {
		clients = append(clients, Client{Event: name, Precise: true}, Client{Event: name})
	}
	return clients
}

// Audience is an endpoint and its clients.
type Audience struct {
	t         testing.TB
	publisher store.Store
	clients   []Client
	logged    func() []string

	mu   sync.Mutex
	seen map[Client]event.Stamp // the cursor; of a legacy client, the end of its second
}

// Start starts the endpoint of a store, and clients that poll it until the test ends. The publisher is
// another store of the same events, as on another machine.
func Start(t testing.TB, s, publisher store.Store, location core.Location, clients []Client) *Audience {
	t.Helper()
	log, logged := coretest.RecordLog()
	a := &Audience{t: t, publisher: publisher, clients: clients, logged: logged, seen: map[Client]event.Stamp{}}
	endpoint := core.NewEndpoint(s, core.Options{Location: location, Log: log})
	ctx, cancel := context.WithCancel(context.Background())
	var polling sync.WaitGroup
	for _, c := range clients {
		polling.Go(func() { a.poll(ctx, endpoint, c) })
	}
	t.Cleanup(func() {
		cancel()
		endpoint.Drain()
		polling.Wait()
		endpoint.Close()
	})
	return a
}

func (a *Audience) poll(ctx context.Context, endpoint http.Handler, c Client) {
	cursor := "now"
	if !c.Precise {
		cursor = strconv.FormatInt(time.Now().Unix()-1000, 10)
	}
	for ctx.Err() == nil {
		query := "/?subscribed[" + url.QueryEscape(c.Event) + "]=" + cursor
		code, body := coretest.Send(a.t, endpoint, httptest.NewRequest(http.MethodGet, query, nil))
		var answer struct {
			S  *int
			K  map[string]json.Number
			At map[string]string
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || code != http.StatusOK || answer.S == nil {
			a.t.Errorf("a poll was answered with %d: %s", code, body)
			return
		}
		switch at, changed := answer.At[c.Event], answer.K[c.Event]; {
		case c.Precise && at != "now": // It is "now" while the store is down.
			cursor = at
		case !c.Precise && changed != "":
			cursor = changed.String()
		}
		a.mu.Lock()
		a.seen[c] = stampOf(coretest.Must(event.ParseCursor(cursor)))
		a.mu.Unlock()
	}
}

// stampOf returns the stamp of a cursor. For a legacy cursor, it is the last one of the second.
func stampOf(cursor event.Cursor) event.Stamp {
	switch cursor.Kind() {
	case event.Precise:
		return cursor.Stamp()
	case event.Legacy:
		return event.Stamp(cursor.Second()+1)*event.Second - event.Microsecond
	default:
		return 0
	}
}

// Publish publishes an event, as soon as the store is available, and returns the stamp.
func (a *Audience) Publish(name string) (stamp event.Stamp) {
	a.t.Helper()
	servertest.WaitFor(a.t, name+" is published", func() bool {
		var err error
		stamp, err = a.publisher.Publish(a.t.Context(), coretest.MustID(name), nil)
		if err != nil && !errors.Is(err, store.ErrUnavailable) {
			a.t.Fatal(err)
		}
		return err == nil
	})
	return stamp
}

// PublishAll publishes every event, and waits until every client has seen that.
func (a *Audience) PublishAll() {
	a.t.Helper()
	published := map[string]event.Stamp{}
	for _, c := range a.clients {
		if published[c.Event] == 0 {
			published[c.Event] = a.Publish(c.Event)
		}
	}
	for name, stamp := range published {
		a.WaitUntilSeen(name, stamp)
	}
}

// WaitUntilSeen waits until every client of the event has seen this stamp or a later one.
func (a *Audience) WaitUntilSeen(name string, stamp event.Stamp) {
	a.t.Helper()
	a.waitFor(name, stamp, func(_ Client, seen event.Stamp) bool { return seen >= stamp })
}

// WaitUntilLast waits until every client of the event has this stamp, which may be earlier than the one
// before.
func (a *Audience) WaitUntilLast(name string, stamp event.Stamp) {
	a.t.Helper()
	a.waitFor(name, stamp, func(c Client, seen event.Stamp) bool {
		return seen == stamp || !c.Precise && seen.Second() == stamp.Second()
	})
}

func (a *Audience) waitFor(name string, stamp event.Stamp, condition func(Client, event.Stamp) bool) {
	a.t.Helper()
	for _, c := range a.clients {
		if c.Event != name {
			continue
		}
		servertest.WaitFor(a.t, fmt.Sprintf("the client %+v has seen the stamp %v", c, stamp), func() bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			return condition(c, a.seen[c]) || a.t.Failed()
		})
	}
}

// PublishSteadily publishes all events in sequence until stop is called. A publication may fail while the
// store is down.
func (a *Audience) PublishSteadily() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var publishing sync.WaitGroup
	publishing.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			for _, c := range a.clients {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
				}
				_, err := a.publisher.Publish(ctx, coretest.MustID(c.Event), nil)
				if err != nil && !errors.Is(err, store.ErrUnavailable) && ctx.Err() == nil {
					a.t.Errorf("a publication failed with %v; want ErrUnavailable", err)
				}
			}
		}
	})
	stop = func() { cancel(); publishing.Wait() }
	a.t.Cleanup(stop)
	return stop
}

// WaitUntilDown waits until the log says that the store is down.
func (a *Audience) WaitUntilDown() {
	a.t.Helper()
	servertest.WaitFor(a.t, "the failure of the store is logged", func() bool { return len(a.logged())%2 == 1 })
}

// ExpectLog expects a line when the store went down and a line when it was reachable again, or no line at all
// unless wasDown.
func (a *Audience) ExpectLog(wasDown bool) {
	a.t.Helper()
	if lines := a.waitUntilUp(wasDown); len(lines) > 2 {
		a.t.Errorf("logged: %s", strings.Join(lines, "\n"))
	}
}

// ExpectRecovery expects that the log says once or several times that the store went down and was reachable
// again. On a busy machine, a store with a short timeout may also give up while its server is up.
func (a *Audience) ExpectRecovery() {
	a.t.Helper()
	a.waitUntilUp(true)
}

// waitUntilUp waits until the log says that the store is reachable again, and returns all lines. Unless
// wasDown, there may be none.
func (a *Audience) waitUntilUp(wasDown bool) (lines []string) {
	a.t.Helper()
	servertest.WaitFor(a.t, "the log says that the store is reachable again", func() bool {
		lines = a.logged()
		return len(lines)%2 == 0 && (len(lines) > 0 || !wasDown)
	})
	for i, line := range lines {
		if want := [...]string{"store check failed", "store reachable again"}[i%2]; !strings.Contains(line, want) {
			a.t.Errorf("logged: %s; want %q", line, want)
		}
	}
	return lines
}

// ExpectEmptyLog expects that nothing was logged.
func (a *Audience) ExpectEmptyLog() {
	a.t.Helper()
	if lines := a.logged(); len(lines) > 0 {
		a.t.Errorf("logged: %s", strings.Join(lines, "\n"))
	}
}
