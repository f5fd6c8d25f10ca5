package core_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
	"novcomet/core/access"
	"novcomet/core/hub"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
)

func TestEndpoint_CallsBeforeWaitOnlyBeforeARequestWaits(t *testing.T) {
	for _, test := range []struct {
		name, query, accept string
		waits               bool
	}{
		{"a publication", "publish=a", "", false},
		{"a poll that does not wait", "subscribed[a]=now&wait=0", "", false},
		{"a bad request", "subscribed[a]=1.x", "", false},
		{"a precise poll", "subscribed[a]=now", "", true},
		{"a legacy poll", "subscribed[a]=1", "", true},
		{"a stream", "subscribed[a]=now&wait=0", "text/event-stream", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			log, lines := coretest.RecordLog()
			called := false
			endpoint := core.NewEndpoint(coretest.NewMemory(), core.Options{
				Location: core.Location{Tries: 20, Sleep: time.Second}, Log: log,
				BeforeWait: func() (bool, error) {
					called = true
					return true, errors.New("the disk is on fire")
				},
			})
			status, body := send(t, endpoint, newRequest(http.MethodGet, test.query, "Accept", test.accept))
			if called != test.waits || (status == http.StatusInternalServerError) != test.waits {
				t.Errorf("called: %v; HTTP %d %s; want %v", called, status, body, test.waits)
			}
			if strings.Contains(body, "fire") {
				t.Errorf("the visitor reads %s", body)
			}
			if logged := strings.Join(lines(), ""); strings.Contains(logged, "on fire") != test.waits {
				t.Errorf("logged %q", logged)
			}
		})
	}
}

func TestEndpoint_AnswersAtOnceIfBeforeWaitSaysSo(t *testing.T) {
	memory := coretest.NewMemory()
	options := core.Options{BeforeWait: func() (bool, error) { return false, nil }}
	inBubble(t, memory, options, func(g *group) {
		memory.Set("a", coretest.Start.Add(-time.Hour))
		g.poll(0, "subscribed[a]=now", `{"s":0,"at":{"a":"{-3600.0}"}}`, 0)
		g.poll(0, "subscribed[a]=0.0", `{"s":1,"k":{"a":{-3600.0}},"at":{"a":"{-3600.0}"}}`, 0)
		g.expect(g.open("subscribed[a]=now"), ended, "0s id: {-3600.0}")
	})
}

func TestEndpoint_CountsPollsAndStreams(t *testing.T) {
	memory := coretest.NewMemory()
	memory.Slow = 5 * time.Millisecond
	inBubble(t, memory, core.Options{}, func(g *group) {
		const one, two, short = "subscribed[a]=now", "subscribed[a]=now&subscribed[b]=now", "subscribed[c]=now&wait=1"
		for _, query := range []string{one, two, short} {
			g.requests.Go(func() { ask(g, g.endpoint, query) })
		}
		stream := g.open("subscribed[d]=now")
		time.Sleep(100 * time.Millisecond)
		if m := g.endpoint.Metrics().Snapshot(); m.Waiting != 4 || m.Streams != 1 || m.Events != 4 || m.StreamsTotal != 1 {
			t.Errorf("while they wait: %+v", m)
		}
		time.Sleep(1500 * time.Millisecond)
		ask(g, g.endpoint, "publish=a")
		time.Sleep(time.Second)
		stream.leave() // A stream is not an aborted poll.
		g.requests.Wait()
		m := g.endpoint.Metrics().Snapshot()
		if m.PollsChanged != 2 || m.PollsUnchanged != 1 || m.PollsAborted != 0 || m.Publications != 1 || m.StreamsTotal != 1 {
			t.Errorf("at the end: %+v", m)
		}
		checks := m.Checks
		if checks.Count == 0 || checks.Failed != 0 || checks.Time != time.Duration(checks.Count)*memory.Slow {
			t.Errorf("%+v; want checks of %v", checks, memory.Slow)
		}
		memory.Fail(store.ErrUnavailable)
		ask(g, g.endpoint, "subscribed[a]=now&wait=0")
		if now := g.endpoint.Metrics().Snapshot().Checks; now.Failed == 0 || now.Failed != now.Count-checks.Count {
			t.Errorf("while the store is unavailable: %+v", now)
		}
	})
}

func TestEndpoint_SetLimitsAppliesToLaterRequests(t *testing.T) {
	memory := coretest.NewMemory()
	inBubble(t, memory, core.Options{Limits: core.Limits{MaxStreams: 1}}, func(g *group) {
		publish := func(size, want int) {
			t.Helper()
			r := httptest.NewRequest(http.MethodPut, "/?publish=x", strings.NewReader(strings.Repeat("1", size)))
			if status, body := send(g, g.endpoint, r); status != want {
				t.Errorf("%d bytes: HTTP %d %s; want %d", size, status, body, want)
			}
		}
		publish(core.DefaultMaxData, 200)
		g.poll(0, "subscribed[a]=now", `{"s":0,"at":{"a":"0.000000"}}`, time.Minute)
		first := g.open("subscribed[a]=now")
		g.expect(g.open("subscribed[a]=now"), ended, "0s id: 0.000000")

		g.endpoint.SetLimits(core.Limits{Limits: hub.Limits{MaxWaiting: 2, MaxData: 10}, MaxForm: 20})
		publish(10, 200)
		publish(11, 413)
		g.poll(0, "subscribed[a]=now", `{"s":0,"at":{"a":"0.000000"}}`, 0)
		synctest.Wait()
		long := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("subscribed[a]=now&wait=0"))
		long.Header.Set("Content-Type", form)
		if status, body := send(g, g.endpoint, long); status != http.StatusRequestEntityTooLarge {
			t.Errorf("a long form: HTTP %d %s", status, body)
		}

		g.endpoint.SetLimits(core.Limits{})
		publish(core.DefaultMaxData, 200)
		second := g.open("subscribed[a]=now")
		g.expect(second, open, "0s id: 0.000000")
		g.expect(first, open, "0s id: 0.000000")
		first.leave()
		second.leave()
	})
}

func TestEndpoint_DrainAnswersAllRequests(t *testing.T) {
	memory := coretest.NewMemory()
	inBubble(t, memory, core.Options{}, func(g *group) {
		const news = `1s event: a|data: {"s":1,"k":{"a":{0.999}},"at":{"a":"{0.999}"}}|id: {0.999}`
		g.poll(0, "subscribed[a]=now", `{"s":1,"k":{"a":{0.999}},"at":{"a":"{0.999}"}}`, time.Second)
		g.poll(0, "subscribed[b]=now", `{"s":0,"at":{"b":"0.000000"}}`, time.Second)
		stream := g.open("subscribed[a]=now")
		time.Sleep(time.Second)
		memory.Set("a", coretest.Start.Add(999*time.Millisecond))
		g.endpoint.Drain()
		g.expect(stream, ended, "0s id: 0.000000", news, "1s :")
		g.expect(g.open("subscribed[a]=0.0"), ended, news, "1s :")
		g.poll(0, "subscribed[b]=now", `{"s":0,"at":{"b":"0.000000"}}`, time.Second)
	})
}

// Every answer has an expected status and is JSON, and nothing is published that the rules do not allow.
func FuzzEndpoint(f *testing.F) {
	good := strings.TrimPrefix(signed(time.Unix(4_000_000_000, 0), "private-*"), "&")
	f.Add("GET", "publish=a", "", []byte(nil), "", "", "")
	f.Add("GET", "subscribed[a]=1&subscribed[b]=now&wait=0", "", []byte(nil), "ann", "same-origin", "")
	f.Add("POST", "&1", form, []byte("subscribed[a]=1.5&publish=%zz"), "", "", "https://a.example")
	f.Add("PUT", "publish=a", "text/plain", []byte("data"), "", "cross-site", "null")
	f.Add("HEAD", "", "", []byte(nil), "*", "", "")
	f.Add("GET", "publish=user:bob:1", "", []byte(nil), "b?b", "none", "")
	f.Add("OPTIONS", "", "", []byte(nil), "", "cross-site", "HTTPS://A.example:443")
	f.Add("GET", "subscribed[private-1]=0.0&"+good, "", []byte(nil), "", "", "")
	f.Add("GET", "subscribed[private-1]=0.0&"+good[:len(good)-1], "", []byte(nil), "", "", "")
	rules := access.Rules{
		Subscribe: patterns("?*", "[^x]*"), Publish: patterns("a", "user:<user>:*"),
		Origins: origins("https://a.example"), Signed: newSigned("private-*"), Rate: coretest.Must(access.ParseRate("1/h")),
	}
	f.Fuzz(func(t *testing.T, method, query, contentType string, body []byte, user, site, origin string) {
		memory := coretest.NewMemory()
		handler := asUser(newEndpoint(memory, core.Location{}), rules, user)
		for range 2 { // The second publication exceeds the rate.
			r := httptest.NewRequest(http.MethodGet, "/", bytes.NewReader(body))
			r.Method, r.URL.RawQuery = method, query+"&subscribed[x]=0.0" // A precise answer is not held.
			r.Header.Set("Content-Type", contentType)
			r.Header.Set("Sec-Fetch-Site", site)
			r.Header.Set("Origin", origin)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			switch w.Code {
			case 200, 204, 400, 403, 405, 413, 415, 429:
			default:
				t.Errorf("%s %q: HTTP %d", method, query, w.Code)
			}
			if w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s %q: %q is not JSON", method, query, w.Body)
			}
			allowed := w.Header().Get("Access-Control-Allow-Origin")
			if allowed != "" && allowed != "https://a.example" || w.Header().Get("Vary") != "Origin" {
				t.Errorf("%q may read: %v", origin, w.Header())
			}
		}
		crossSite := site != "" && site != "same-origin" && site != "none" && origin == ""
		for id := range memory.Stamps() {
			own := user != "" && strings.HasPrefix(id, "user:"+user+":")
			if id != "a" && !own || crossSite {
				t.Errorf("%s %q: %q, from %q %q, published %q", method, query, user, site, origin, id)
			}
		}
	})
}
