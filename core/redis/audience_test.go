//go:build e2e

package redis_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/redis"
	"novcomet/core/redis/redistest"
)

// audience are clients of an endpoint that keep polling, each for one event; what they see is compared with what was published.
// The publisher has a store of its own, as on another machine.
type audience struct {
	t         testing.TB
	publisher *redis.Store
	names     []string
	log       *logged

	mu   sync.Mutex
	seen map[client]core.Stamp // precise ones: the cursor; the others: the second
}

// client is how a client polls.
type client struct {
	name    string
	precise bool
}

// gather starts an audience of the events, which ends with the test.
func gather(t testing.TB, o redis.Options, s core.Settings, names ...string) *audience {
	t.Helper()
	a := &audience{t: t, publisher: open(t, o), names: names, log: &logged{}, seen: map[client]core.Stamp{}}
	endpoint := core.NewEndpoint(open(t, o), s)
	endpoint.Log = slog.New(slog.NewTextHandler(a.log, nil))
	ended := make(chan struct{})
	var polling sync.WaitGroup
	for _, name := range names {
		for _, precise := range []bool{true, false} {
			polling.Go(func() { a.poll(endpoint, client{name, precise}, ended) })
		}
	}
	t.Cleanup(func() {
		close(ended)
		endpoint.Drain()
		polling.Wait()
		endpoint.Close()
	})
	return a
}

func (a *audience) poll(endpoint *core.Endpoint, c client, ended <-chan struct{}) {
	cursor := "now"
	if !c.precise {
		cursor = strconv.FormatInt(time.Now().Unix()-1000, 10)
	}
	for {
		select {
		case <-ended:
			return
		default:
		}
		query := "?subscribed%5B" + url.QueryEscape(c.name) + "%5D=" + cursor
		w := httptest.NewRecorder()
		endpoint.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/"+query, nil))
		var answer struct {
			S  *int
			K  map[string]json.Number
			At map[string]string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK || answer.S == nil {
			a.t.Errorf("a poll was answered with %d: %s", w.Code, w.Body)
			return
		}
		switch at, changed := answer.At[c.name], answer.K[c.name]; {
		case c.precise && at != "now": // It is, while the store is gone.
			cursor = at
		case !c.precise && changed != "":
			cursor = changed.String()
		}
		a.mu.Lock()
		a.seen[c] = mustStamp(a.t, cursor)
		a.mu.Unlock()
	}
}

// mustStamp is the stamp of a cursor; that of a second is the last that it can be.
func mustStamp(t testing.TB, cursor string) core.Stamp {
	if cursor == "now" {
		return 0
	}
	whole, fraction, precise := strings.Cut(cursor, ".")
	if !precise {
		fraction = "999999"
	}
	stamp, err := strconv.ParseInt(whole+fraction, 10, 64)
	if err != nil {
		t.Errorf("a cursor is %q", cursor)
	}
	return core.Stamp(stamp)
}

// publish publishes the event, however long it takes, and returns its stamp.
func (a *audience) publish(name string) (stamp core.Stamp) {
	a.t.Helper()
	redistest.WaitFor(a.t, name+" is published", func() bool {
		var err error
		stamp, err = a.publisher.Publish(a.t.Context(), mustID(a.t, name))
		if err != nil && !errors.Is(err, core.ErrUnavailable) {
			a.t.Fatalf("publish %s: %v", name, err)
		}
		return err == nil
	})
	return stamp
}

// expectAllSee publishes every event, and waits until every client has seen that.
func (a *audience) expectAllSee() {
	a.t.Helper()
	published := map[string]core.Stamp{}
	for _, name := range a.names {
		published[name] = a.publish(name)
	}
	for name, stamp := range published {
		a.expectSeen(name, stamp)
	}
}

func (a *audience) expectSeen(name string, stamp core.Stamp) {
	a.t.Helper()
	for _, precise := range []bool{true, false} {
		what := fmt.Sprintf("the client that polls for %s (precisely: %v) saw the publication at %v", name, precise, stamp)
		redistest.WaitFor(a.t, what, func() bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			return a.seen[client{name, precise}] >= stamp || a.t.Failed()
		})
	}
}

// steadily publishes all the time until stop is called: what can't be published is left out.
func (a *audience) steadily() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
			_, err := a.publisher.Publish(ctx, mustID(a.t, a.names[i%len(a.names)]))
			if err != nil && !errors.Is(err, core.ErrUnavailable) && ctx.Err() == nil {
				a.t.Errorf("while something is wrong, a publication fails with %v", err)
			}
		}
	})
	stop = func() { cancel(); publishing.Wait() }
	a.t.Cleanup(stop)
	return stop
}

// expectNoticed waits until it is logged that the store is gone.
func (a *audience) expectNoticed() {
	a.t.Helper()
	redistest.WaitFor(a.t, "it is noticed", func() bool { return len(a.log.lines())%2 == 1 })
}

// expectLogged wants no more than a line when the store went and one when it was back.
func (a *audience) expectLogged(atLeastOnce bool) {
	a.t.Helper()
	var lines []string
	redistest.WaitFor(a.t, "that store reachable again is logged", func() bool {
		lines = a.log.lines()
		return len(lines)%2 == 0 && (len(lines) > 0 || !atLeastOnce)
	})
	isPair := len(lines) == 2 && strings.Contains(lines[0], "store check failed") && strings.Contains(lines[1], "store reachable again")
	if len(lines) > 0 && !isPair {
		a.t.Errorf("logged: %s", strings.Join(lines, "\n"))
	}
}

// logged keeps what is logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(strings.Split(l.text.String(), "\n"), func(line string) bool { return line == "" })
}
