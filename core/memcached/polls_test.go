//go:build e2e

package memcached_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/memcached"
	"novcomet/core/memcached/memcachedtest"
)

var discard = slog.New(slog.DiscardHandler)

// endpoint looks every 50 ms.
func endpoint(t testing.TB, store core.Store, tries int) *core.Endpoint {
	t.Helper()
	e := core.NewEndpoint(store, core.Settings{Tries: tries, Sleep: 50 * time.Millisecond})
	e.Log = discard
	t.Cleanup(e.Close)
	return e
}

func ask(ctx context.Context, h http.Handler, query string) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/comet.php?"+query, nil))
	return w.Body.String()
}

// A round costs one command for each server, however many polls wait for however many events.
func TestARoundAsksEachServerOnceForAllEventsWaitedFor(t *testing.T) {
	const polls, events, rounds = 10, 5000, 3
	one, other := startProxy(t, memcachedtest.Start(t).Address), startProxy(t, memcachedtest.Start(t).Address)
	store := open(t, one.address+","+other.address)
	e := endpoint(t, store, 100_000)
	ctx, leave := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer leave()
	for p := range polls {
		query := url.Values{}
		for i := range events / polls * 2 { // Each event is waited for twice.
			query.Set(fmt.Sprintf("subscribed[event %d]", (p*events/polls+i)%events), "now")
		}
		waiting.Go(func() { ask(ctx, e, query.Encode()) })
	}
	waitFor(t, "all polls wait", func() bool { return e.Waiting() == polls })
	all := 0
	var looks [2][]int
	waitFor(t, "rounds look at everything", func() bool {
		for i, p := range []*proxy{one, other} {
			looks[i] = append(looks[i], p.seen()...)
		}
		if len(looks[0]) < rounds+polls || len(looks[1]) < rounds+polls {
			return false
		}
		all = looks[0][len(looks[0])-1] + looks[1][len(looks[1])-1]
		return true
	})
	if all != events {
		t.Errorf("the last looks were at %d events; want %d", all, events)
	}
	for i := range looks {
		tail := looks[i][len(looks[i])-rounds:]
		for _, n := range tail {
			if n != tail[0] {
				t.Errorf("server %d was asked for %v events in the last rounds; want all in one command", i, tail)
			}
		}
	}
}

func TestWhileOneServerIsGoneEventsOfTheOthersGoOn(t *testing.T) {
	for name, interrupt := range map[string]func(*memcachedtest.Server) (resume func()){
		"killed": func(s *memcachedtest.Server) func() { s.Kill(); return s.Start },
		"silent": func(s *memcachedtest.Server) func() { s.Freeze(); return s.Thaw },
	} {
		t.Run(name, func(t *testing.T) {
			gone, stays := memcachedtest.Start(t), memcachedtest.Start(t)
			store := open(t, gone.Address+","+stays.Address)
			far, near := eventOn(t, store, gone), eventOn(t, store, stays)
			known := stamp(t, store, near)
			e := endpoint(t, store, 100_000)
			resume := interrupt(gone)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()

			answered := make(chan string, 1)
			go func() { answered <- ask(ctx, e, "subscribed["+far+"]=0.000001&subscribed["+near+"]="+known.String()) }()
			waitFor(t, "the poll waits", func() bool { return e.Waiting() == 1 })
			if want, got := fmt.Sprintf(`{"s":1,"k":{"%s":%v}`, near, publish(t, store, near)), <-answered; !strings.HasPrefix(got, want) {
				t.Errorf("%s; want %s…", got, want)
			}
			if body := ask(ctx, e, "subscribed["+far+"]=0.000001&wait=0"); !strings.HasPrefix(body, `{"s":0`) {
				t.Errorf("of an event that nobody can know of: %s", body)
			}
			resume()
			waitFor(t, "events on it can be published", func() bool {
				_, err := store.Publish(ctx, mustID(t, far))
				return err == nil
			})
			if body := ask(ctx, e, "subscribed["+far+"]=0.000001"); !strings.HasPrefix(body, `{"s":1`) {
				t.Errorf("after it is back: %s", body)
			}
		})
	}
}

// eventOn returns an event that this server has.
func eventOn(t testing.TB, store core.Store, server *memcachedtest.Server) string {
	t.Helper()
	for i := range 100 {
		name := fmt.Sprintf("event%d", i)
		publish(t, store, name)
		if server.Do("get novcomet:"+name) != "END" {
			return name
		}
	}
	t.Fatal("no event is on that server")
	return ""
}

// subscriber keeps polling, as a page does.
type subscriber struct {
	mu       sync.Mutex
	cursor   string
	answered time.Time // with the event, last
	wrong    string
}

func (s *subscriber) run(ctx context.Context, h http.Handler, id string, pause time.Duration) {
	for ctx.Err() == nil {
		s.mu.Lock()
		cursor := s.cursor
		s.mu.Unlock()
		body := ask(ctx, h, "subscribed["+id+"]="+cursor)
		if ctx.Err() != nil {
			return
		}
		s.take(id, body)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// take keeps the cursor to send next: of a precise poll it stands in `at`, also where nothing happened, for a page that
// asked with `now` again and again would miss what is published in between.
func (s *subscriber) take(id, body string) {
	var answer struct {
		Changed int                    `json:"s"`
		Stamps  map[string]json.Number `json:"k"`
		Cursors map[string]string      `json:"at"`
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		s.wrong = body
		return
	}
	if stamp, told := answer.Stamps[id]; told {
		s.cursor, s.answered = stamp.String(), time.Now()
	}
	if cursor, precise := answer.Cursors[id]; precise {
		s.cursor = cursor
	}
}

// knows reports whether it was told of that publication.
func (s *subscriber) knows(stamp core.Stamp, published time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.Contains(s.cursor, ".") {
		return s.cursor == stamp.String()
	}
	return s.cursor == fmt.Sprint(stamp.Second()) && s.answered.After(published)
}

// Subscribers of both kinds keep polling while memcached is killed and started again, and events are published all the time.
func TestNothingIsMissedOfWhatIsPublishedAfterMemcachedIsBack(t *testing.T) {
	const events, kills = 6, 3
	server := memcachedtest.Start(t)
	store := open(t, server.Address)
	e := endpoint(t, store, 20)
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	defer working.Wait()
	defer stop()
	subscribers := map[string][]*subscriber{}
	for i := range events {
		id := fmt.Sprintf("event%d", i)
		for _, cursor := range []string{"0.000000", "now", fmt.Sprint(time.Now().Unix())} {
			s := &subscriber{cursor: cursor}
			subscribers[id] = append(subscribers[id], s)
			pause := time.Duration(rand.IntN(100)) * time.Millisecond
			working.Go(func() { s.run(ctx, e, id, pause) })
		}
	}
	waitFor(t, "all subscribers wait", func() bool { return e.Waiting() == 3*events })
	for range kills {
		refused := 0
		server.Kill()
		for id := range subscribers {
			if _, err := store.Publish(ctx, mustID(t, id)); err != nil {
				refused++
			}
		}
		if refused != events {
			t.Errorf("%d of %d publications were said to be stored without a server", events-refused, events)
		}
		server.Start()
		last := map[string]core.Stamp{}
		for range 3 {
			for id := range subscribers {
				last[id] = publish(t, store, id)
			}
		}
		published := time.Now()
		for id, all := range subscribers {
			for i, s := range all {
				waitFor(t, fmt.Sprintf("subscriber %d of %s is told of the last publication", i, id), func() bool {
					// A whole-second one may have been told already of what was published in the same second.
					return s.knows(last[id], published.Add(-time.Second))
				})
			}
		}
	}
	for id, all := range subscribers {
		for _, s := range all {
			if s.wrong != "" {
				t.Errorf("a poll of %s was answered %s", id, s.wrong)
			}
		}
	}
}

// A machine whose clock is behind by the skew may have published it just now.
func TestNowCountsAsNewWhatIsYoungerThanTheSkewAnd200ms(t *testing.T) {
	const skew, slow = 20 * time.Second, 10 * time.Second // slow: a loaded machine, on which the poll comes late
	server := memcachedtest.Start(t)
	store := openWith(t, memcached.Options{Servers: []string{server.Address}, Prefix: "novcomet:", Timeout: patience, Skew: skew})
	e := endpoint(t, store, 20)
	for ago, isNew := range map[time.Duration]string{skew - slow: `{"s":1,`, skew + 200*time.Millisecond: `{"s":0,`} {
		server.Set("novcomet:a", fmt.Sprint(time.Now().Add(-ago).UnixMicro()))
		if body := ask(t.Context(), e, "subscribed[a]=now&wait=0"); !strings.HasPrefix(body, isNew) {
			t.Errorf("published %v ago: %s; want %s…", ago, body, isNew)
		}
	}
}

// Two machines whose clocks are 10 s apart publish the same events and serve subscribers.
func TestClocksTenSecondsApartLoseNothingOfPrecisePolls(t *testing.T) {
	server := memcachedtest.Start(t)
	slow, fast := open(t, server.Address), open(t, server.Address)
	fast.SetClock(10 * time.Second)
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	defer working.Wait()
	defer stop()
	var subscribers []*subscriber
	for _, store := range []core.Store{slow, fast} {
		e := endpoint(t, store, 20)
		for _, cursor := range []string{"0.000000", "now"} {
			s := &subscriber{cursor: cursor}
			subscribers = append(subscribers, s)
			working.Go(func() { s.run(ctx, e, "a", 10*time.Millisecond) })
		}
		waitFor(t, "its subscribers wait", func() bool { return e.Waiting() == 2 })
	}
	var last core.Stamp
	for i := range 40 {
		publisher := core.Store(slow)
		if i%2 == 1 || rand.IntN(3) == 0 {
			publisher = fast
		}
		stamp := publish(t, publisher, "a")
		if stamp <= last {
			t.Errorf("publication %d: %v after %v", i, stamp, last)
		}
		last = stamp
		for k, s := range subscribers {
			waitFor(t, fmt.Sprintf("subscriber %d is told of publication %d", k, i), func() bool { return s.knows(stamp, time.Time{}) })
		}
	}
}
