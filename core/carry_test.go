package core_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

// What one answer has no room for comes with the next poll, at once. Those go first that were told longest ago.
func TestWhatAnAnswerHasNoRoomForIsLeftToTheNextPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		for i, event := range []string{"c", "a", "b"} {
			store.set(t, event, start.Add(time.Duration(i-10)*time.Second))
			store.fill(t, event, strings.Repeat("x", 40)) // 42 bytes of JSON
		}
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 20, Sleep: time.Second})
		endpoint.MaxAnswerData = 100
		query := "data=1&subscribed[a]=0.0&subscribed[b]=now&subscribed[c]=5"
		_, body := ask(t, endpoint, query)
		wantNames(t, body, "a", "c")
		_, body = ask(t, endpoint, "data=1&subscribed[a]=0.0&subscribed[b]=0.0&subscribed[c]=5")
		wantNames(t, body, "a", "b")
		if !strings.Contains(body, `"c":"5"`) {
			t.Errorf("%s: the cursor of c is to stay as it was", body)
		}
		endpoint.MaxAnswerData = 1 // One event is always told of.
		_, body = ask(t, endpoint, "data=1&subscribed[a]=1.0&subscribed[b]=9999999999.0&subscribed[c]=5")
		wantNames(t, body, "b") // Its stamp was still to come when it was told.
		if !strings.Contains(body, `"at":{"a":"1.000000","b":"9`) || !strings.Contains(body, `"c":"5"}`) {
			t.Error(body)
		}
		_, body = ask(t, endpoint, "subscribed[a]=0.0&subscribed[b]=0.0&subscribed[c]=5") // without data there is room
		if since := time.Since(start); strings.Count(body, ".") < 3 || since != 0 {
			t.Errorf("%s after %v", body, since)
		}
	})
}

// wantNames wants these events in k, and the data of each.
func wantNames(t *testing.T, body string, names ...string) {
	t.Helper()
	_, told, _ := strings.Cut(body, `"k":{`)
	told, rest, _ := strings.Cut(told, "}")
	for _, name := range names {
		if !strings.Contains(told, `"`+name+`":`) || !strings.Contains(rest, `"`+name+`":"xx`) {
			t.Errorf("%s: %s is not there, with its data", body, name)
		}
	}
	if n := strings.Count(told, ":"); n != len(names) {
		t.Errorf("%s tells of %d events, want %v", body, n, names)
	}
}

func parsed(t *testing.T, body string) (a reply) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return a
}

// However often it is published, and the others are.
func TestNothingIsLeftOutForEver(t *testing.T) {
	for _, stream := range []bool{false, true} {
		t.Run(map[bool]string{false: "polls", true: "a stream"}[stream], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				busy := []string{"busy", "busier", "always last"}
				store := newMemory()
				endpoint := core.NewEndpoint(store, core.Settings{Tries: 20, Sleep: time.Second})
				endpoint.MaxAnswerData = 10
				endpoint.Streams.End = 20 * time.Second
				query := url.Values{"data": {"1"}}
				for _, event := range append(busy, "rare") {
					store.fill(t, event, strings.Repeat("x", 8))
					query.Set("subscribed["+event+"]", "now")
				}
				ctx, stop := context.WithTimeout(t.Context(), endpoint.Streams.End)
				defer stop()
				var publishing sync.WaitGroup
				defer publishing.Wait()
				publishing.Go(func() {
					for ctx.Err() == nil {
						time.Sleep(100 * time.Millisecond)
						for i, event := range busy {
							store.set(t, event, time.Now().Add(time.Duration(i)*time.Microsecond))
						}
					}
				})
				time.AfterFunc(2*time.Second+50*time.Millisecond, func() { store.set(t, "rare", time.Now()) })
				told := map[string]int{}
				if stream {
					w := httptest.NewRecorder()
					r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/?"+query.Encode(), nil)
					r.Header.Set("Accept", "text/event-stream")
					endpoint.ServeHTTP(w, r)
					for line := range strings.Lines(w.Body.String()) {
						if event, ok := strings.CutPrefix(line, "event: "); ok {
							told[strings.TrimSpace(event)]++
						}
					}
				}
				for !stream && ctx.Err() == nil {
					_, body := ask(t, endpoint, query.Encode())
					answer := parsed(t, body)
					for event := range answer.K {
						told[event]++
					}
					for event, cursor := range answer.At {
						query.Set("subscribed["+event+"]", cursor)
					}
					time.Sleep(50 * time.Millisecond)
				}
				for _, event := range busy {
					if told[event] < 5 {
						t.Errorf("told of %q %d times", event, told[event])
					}
				}
				if told["rare"] != 1 {
					t.Errorf("told of the rare one %d times, %v", told["rare"], told)
				}
			})
		})
	}
}

// Whoever is told of little is not kept waiting by somebody who is told of much.
func TestMuchDataIsReadInSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &telling{memory: newMemory()}
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 20, Sleep: time.Second})
		endpoint.MaxData, endpoint.MaxAnswerData = 10, 20
		const events = 1000
		query := "data=1"
		for i := range events {
			event := fmt.Sprint("e", i)
			store.set(t, event, start.Add(-time.Minute))
			store.fill(t, event, "12345678")
			query += "&subscribed[" + event + "]=0.0"
		}
		_, body := ask(t, endpoint, query)
		if n := len(parsed(t, body).K); n != 2 {
			t.Errorf("told of %d events, want 2", n)
		}
		if n := store.read.Load(); n > 16 { // as much as four answers have, and what was asked for with the last of it
			t.Errorf("%d events were read for it", n)
		}
	})
}

func TestAPollForMoreEventsThanMayBeWaitedForIsAnsweredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 20, Sleep: time.Second})
		endpoint.MaxEvents = 2
		together := make(chan struct{})
		go func() {
			defer close(together)
			ask(t, endpoint, "subscribed[a]=now&subscribed[b]=now")
		}()
		synctest.Wait()
		ask(t, endpoint, "subscribed[c]=now")
		if since := time.Since(start); since != 0 {
			t.Errorf("the one beyond was answered after %v", since)
		}
		<-together
		if since := time.Since(start); since != 20*time.Second {
			t.Errorf("the first was answered after %v", since)
		}
		ask(t, endpoint, "subscribed[c]=now")
		if since := time.Since(start); since != 40*time.Second {
			t.Errorf("with room again, after %v", since)
		}
	})
}

// lingering is a store that takes its time for each byte of data, and brings no more than so many of them at one time; 0: any
// number.
type lingering struct {
	*memory
	perByte time.Duration
	most    int
}

func (s *lingering) Data(ctx context.Context, ids []core.ID, limit int) ([]core.Content, error) {
	data, err := s.memory.Data(ctx, ids, limit)
	n := 0
	for _, d := range data {
		n += len(d.Data)
	}
	time.Sleep(time.Duration(n) * s.perByte)
	if s.most > 0 && n > s.most {
		return nil, errors.New("not in time")
	}
	return data, err
}

// Where more is published than can be read, whoever came first goes first, and so everybody is told.
func TestWhoeverCameFirstIsToldFirstOfMuchData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pollers, wait = 40, 4 * time.Second
		store := &lingering{memory: newMemory(), perByte: time.Microsecond}
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 4, Sleep: wait / 4})
		endpoint.MaxData, endpoint.MaxAnswerData = 1000, 1000
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
		defer stop()
		var running sync.WaitGroup
		defer running.Wait()
		var longest [pollers]time.Duration
		for i := range pollers {
			event := fmt.Sprint("event", i)
			store.set(t, event, start.Add(-time.Minute))
			store.fill(t, event, strings.Repeat("x", 990))
			running.Go(func() {
				for ctx.Err() == nil {
					store.set(t, event, time.Now())
					time.Sleep(2 * time.Millisecond)
				}
			})
			running.Go(func() {
				for cursor := "now"; ctx.Err() == nil; {
					asked := time.Now()
					_, body := ask(t, endpoint, "data=1&subscribed["+event+"]="+cursor)
					longest[i] = max(longest[i], time.Since(asked))
					cursor = parsed(t, body).At[event]
					time.Sleep(time.Millisecond)
				}
			})
		}
		running.Wait()
		if slowest := slices.Max(longest[:]); slowest >= wait {
			t.Errorf("one waited for %v, though its event was published all the time", slowest)
		}
	})
}

// What was read before the store failed is told; and an answer is read in steps that it can manage.
func TestWhatCouldBeReadIsToldWhereTheRestCouldNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &lingering{memory: newMemory(), most: 2000}
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 4, Sleep: time.Second})
		endpoint.Log = discard
		endpoint.MaxData, endpoint.MaxAnswerData = 100, 1000
		query := url.Values{"data": {"1"}}
		for i := range 50 {
			event := fmt.Sprint("event", i)
			store.set(t, event, start.Add(-time.Minute))
			store.fill(t, event, strings.Repeat("x", 90))
			query.Set("subscribed["+event+"]", "0.0")
		}
		_, body := ask(t, endpoint, query.Encode())
		if n := len(parsed(t, body).K); n != 10 || !time.Now().Equal(start) {
			t.Errorf("told of %d events after %v; want 10 at once", n, time.Since(start))
		}
		store.set(t, "huge", start.Add(-time.Minute))
		store.fill(t, "huge", strings.Repeat("x", 3000))
		endpoint.MaxData = 4000
		_, body = ask(t, endpoint, "data=1&subscribed[event0]=0.0&subscribed[huge]=5.0")
		if k := parsed(t, body).K; len(k) != 1 || k["event0"] == "" {
			t.Errorf("%.100s; want event0 alone, for the other one can't be read", body)
		}
	})
}
