package core_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

// What one answer has no room for comes with the next poll, at once: those published longest ago first.
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
		wantNames(t, body, "a", "c")
		if !strings.Contains(body, `"b":"0.000000"`) {
			t.Errorf("%s: the cursor of b is to stay as it was", body)
		}
		endpoint.MaxAnswerData = 1 // One event is always told of.
		_, body = ask(t, endpoint, "data=1&subscribed[a]=0.0&subscribed[b]=0.0&subscribed[c]=5")
		wantNames(t, body, "c")
		if !strings.Contains(body, `"at":{"a":"0.000000","b":"0.000000","c":"`) {
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

// However often the others are published: what was left out is older then, and so its turn comes.
func TestNothingIsLeftOutForEver(t *testing.T) {
	for _, stream := range []bool{false, true} {
		t.Run(map[bool]string{false: "polls", true: "a stream"}[stream], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemory()
				endpoint := core.NewEndpoint(store, core.Settings{Tries: 20, Sleep: time.Second})
				endpoint.MaxAnswerData = 10
				for _, event := range []string{"busy", "busier", "rare"} {
					store.set(t, event, start.Add(-time.Minute))
					store.fill(t, event, strings.Repeat("x", 8))
				}
				publish := time.NewTicker(100 * time.Millisecond)
				defer publish.Stop()
				ended := make(chan struct{})
				defer func() { <-ended }()
				stop := make(chan struct{})
				defer close(stop)
				go func() {
					defer close(ended)
					for {
						select {
						case <-publish.C:
							store.set(t, "busy", time.Now())
							store.set(t, "busier", time.Now())
						case <-stop:
							return
						}
					}
				}()
				time.AfterFunc(2*time.Second+50*time.Millisecond, func() { store.set(t, "rare", time.Now()) })
				query := "data=1&subscribed[busy]=%s&subscribed[busier]=%s&subscribed[rare]=%s"
				cursors := []any{"now", "now", "now"}
				if stream {
					w := httptest.NewRecorder()
					r := httptest.NewRequest(http.MethodGet, "/?"+fmt.Sprintf(query, cursors...), nil)
					r.Header.Set("Accept", "text/event-stream")
					endpoint.Streams.End = 10 * time.Second
					endpoint.ServeHTTP(w, r)
					if told := strings.Count(w.Body.String(), "event: rare\n"); told != 1 {
						t.Errorf("told of it %d times, in\n%s", told, w.Body)
					}
					return
				}
				for range 12 {
					_, body := ask(t, endpoint, fmt.Sprintf(query, cursors...))
					answer := parsed(t, body)
					cursors = []any{answer.At["busy"], answer.At["busier"], answer.At["rare"]}
					if _, told := answer.K["rare"]; told {
						if since := time.Since(start); since > 6*time.Second {
							t.Errorf("after %v", since)
						}
						return
					}
				}
				t.Error("it was never told")
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
