package core_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

func TestAnEventCarriesWhatIsPublishedWithIt(t *testing.T) {
	for _, test := range []struct {
		name, data, d string // d is what a poll gets; "": nothing
	}{
		{"JSON is passed on as it is", `{"build": "green", "n": 1.50}`, `{"build":"green","n":1.50}`},
		{"a number", "42", "42"},
		{"null", "null", "null"},
		{"echo's newline does not count", "[1]\n", "[1]"},
		{"JSON of several lines becomes one", "{\n\t\"a\": [\n1]\n}\n", `{"a":[1]}`},
		{"text is a string", "hello\n", `"hello"`},
		{"only one newline is echo's", "hello\n\n", `"hello\n"`},
		{"text with quotes", `say "hello"`, `"say \"hello\""`},
		{"JSON that breaks off is text", `{"a":`, `"{\"a\":"`},
		{"two JSON texts are text", `{}{}`, `"{}{}"`},
		{"what could end the answer does not", `1},"s":0`, `"1},\"s\":0"`},
		{"nothing", "", ""},
		{"a newline alone", "\n", ""},
		{"as much as is allowed", strings.Repeat("7", 100), strings.Repeat("7", 100)},
	} {
		t.Run(test.name, func(t *testing.T) {
			endpoint := core.NewEndpoint(newMemory(), core.Settings{Tries: 1})
			endpoint.MaxData = 100
			r := httptest.NewRequest(http.MethodPut, "/?publish=a", strings.NewReader(test.data))
			if status, body := send(t, endpoint, r); status != http.StatusOK || body != "true" {
				t.Fatalf("published: HTTP %d %s", status, body)
			}
			want := ""
			if test.d != "" {
				want = `"d":{"a":` + test.d + `},`
			}
			_, body := ask(t, endpoint, "subscribed[a]=0.0&data=1")
			k, at, ok := strings.Cut(body, `"at":`)
			if stamp, d, found := strings.Cut(k, "},"); !ok || !found || d != want || !strings.HasPrefix(stamp, `{"s":1,"k":{"a":`) || !strings.HasPrefix(at, `{"a":`) {
				t.Errorf("answered %s; want %q between k and at", body, want)
			}
		})
	}
}

func TestDataIsOnlyForWhoAsksForIt(t *testing.T) {
	store := newMemory()
	endpoint := core.NewEndpoint(store, core.Settings{Tries: 1})
	store.set(t, "a", start)
	store.fill(t, "a", "1")
	for query, want := range map[string]bool{
		"subscribed[a]=0.0&data=1": true, "subscribed[a]=0.0&data=yes": true, "data=1&subscribed[a]=5": false,
		"subscribed[a]=0.0": false, "subscribed[a]=0.0&data=0": false, "subscribed[a]=0.0&data=": false,
	} {
		if _, body := ask(t, endpoint, query); strings.Contains(body, `"d":{"a":1}`) != want {
			t.Errorf("%s: %s; with data: %v", query, body, want)
		}
	}
}

// The same URL is comet.php's: who posts to it without a body only publishes.
func TestAPublicationWithoutABodyLeavesTheDataAsItIs(t *testing.T) {
	for _, test := range []struct {
		method, contentType, body, data string
	}{
		{"GET", "", "", "before"},
		{"GET", "text/plain", "a GET has no body", "before"},
		{"POST", "", "", "before"},
		{"POST", form, "", "before"},
		{"POST", form, `{"a":1}`, `{"a":1}`}, // curl -d calls it a form
		{"POST", "application/json", "2", "2"},
		{"PUT", "", "", ""},
		{"PUT", "", "3", "3"},
		{"HEAD", "", "", "before"},
	} {
		store := newMemory()
		store.fill(t, "a", "before")
		endpoint := core.NewEndpoint(store, core.Settings{})
		r := httptest.NewRequest(test.method, "/?publish=a", strings.NewReader(test.body))
		r.Header.Set("Content-Type", test.contentType)
		if status, body := send(t, endpoint, r); status != http.StatusOK {
			t.Errorf("%v: HTTP %d %s", test, status, body)
		}
		if got := string(store.data[mustID(t, "a")]); got != test.data {
			t.Errorf("%v: the event carries %q", test, got)
		}
	}
}

func TestDataThatIsTooMuchIsRefusedAndNothingIsPublished(t *testing.T) {
	store := newMemory()
	endpoint := core.NewEndpoint(store, core.Settings{})
	endpoint.MaxData = 10
	status, body := send(t, endpoint, httptest.NewRequest(http.MethodPost, "/?publish=a", strings.NewReader("12345678901")))
	if status != http.StatusRequestEntityTooLarge || len(store.stamps) != 0 {
		t.Errorf("HTTP %d %s, published: %v", status, body, store.stamps)
	}
}

func TestAStoreThatCarriesNothingSaysSo(t *testing.T) {
	endpoint := core.NewEndpoint(struct{ core.Store }{newMemory()}, core.Settings{Tries: 1})
	status, body := send(t, endpoint, httptest.NewRequest(http.MethodPut, "/?publish=a", strings.NewReader("1")))
	if status != http.StatusForbidden || !strings.Contains(body, "no data") {
		t.Errorf("HTTP %d %s; want 403 that says so", status, body)
	}
	if _, body := ask(t, endpoint, "subscribed[a]=0.0&data=1&wait=0"); body != `{"s":0,"at":{"a":"0.000000"}}` {
		t.Error(body)
	}
}

func TestDataThatTheStoreRefusesIsForbiddenWithTheReason(t *testing.T) {
	store := newMemory()
	store.fail(errors.Join(core.ErrRefused, errors.New("another user's file")))
	endpoint := core.NewEndpoint(store, core.Settings{})
	endpoint.Log = discard
	status, body := send(t, endpoint, httptest.NewRequest(http.MethodPost, "/?publish=a", strings.NewReader("1")))
	if status != http.StatusForbidden || !strings.Contains(body, "another user's file") {
		t.Errorf("HTTP %d %s", status, body)
	}
}

func TestOneEventIsReadOnceForEverybodyWhoIsToldOfIt(t *testing.T) {
	store := &telling{memory: newMemory()}
	together(t, store, func(g *group) {
		store.fill(t, "a", "1")
		for range 50 {
			g.expects(0, "subscribed[a]=now&subscribed[b]=now&data=1",
				`{"s":1,"k":{"a":{5.0}},"d":{"a":1},"at":{"a":"{5.0}","b":"0.000000"}}`, 5*time.Second+time.Microsecond)
		}
		time.AfterFunc(5*time.Second, func() { store.happens(t, "a") })
		g.polls.Wait()
		if n := store.read.Load(); n != 1 {
			t.Errorf("the data was read %d times", n)
		}
	})
}

// An answer without the data would be the last one about it.
func TestWhereTheDataCannotBeReadForAWhileAPollGoesOnWaiting(t *testing.T) {
	store := newMemory()
	together(t, store, func(g *group) {
		store.set(t, "a", start.Add(-time.Hour))
		store.fill(t, "a", "1")
		store.close(core.ErrUnavailable)
		time.AfterFunc(5*time.Second, func() { store.close(nil) })
		g.expects(0, "subscribed[a]=0.0&data=1", `{"s":1,"k":{"a":{-3600.0}},"d":{"a":1},"at":{"a":"{-3600.0}"}}`, 6*time.Second)
		g.expects(0, "subscribed[a]=0.0&data=1&wait=3", `{"s":0,"at":{"a":"0.000000"}}`, 3*time.Second)
		g.expects(0, "subscribed[a]=0.0", `{"s":1,"k":{"a":{-3600.0}},"at":{"a":"{-3600.0}"}}`, 0)
	})
}

func TestAPollThatLeavesWhileItsDataIsReadIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 10, Sleep: time.Second})
		endpoint.Log = discard
		store.set(t, "a", start.Add(-time.Hour))
		store.close(errors.New("gone"))
		opened := endpoint.Open(httptest.NewRequest(http.MethodGet, "/?subscribed[a]=0.0&data=1", nil))
		leave := opened.Poll.Enter(func(http.Handler, int) { t.Error("it was answered") })
		time.Sleep(1500 * time.Millisecond)
		if !leave() || endpoint.Waiting() != 0 {
			t.Errorf("%d polls wait", endpoint.Waiting())
		}
		time.Sleep(time.Minute)
	})
}

// A write changes the stamp before it changes the content.
func TestAnAnswerWithDataWaitsUntilItHasBeenWritten(t *testing.T) {
	store := newMemory()
	store.timing = core.Timing{Lag: lag, Write: 10 * time.Millisecond}
	together(t, store, func(g *group) {
		time.AfterFunc(2*time.Second-3*time.Millisecond, func() { store.set(t, "a", start.Add(2*time.Second-3*time.Millisecond)) })
		time.AfterFunc(2*time.Second+5*time.Millisecond, func() { store.fill(t, "a", "1") })
		g.expects(0, "subscribed[a]=now&data=1", `{"s":1,"k":{"a":{1.997}},"d":{"a":1},"at":{"a":"{1.997}"}}`, 2*time.Second+7*time.Millisecond)
		g.expects(0, "subscribed[a]=now", `{"s":1,"k":{"a":{1.997}},"at":{"a":"{1.997}"}}`, 2*time.Second)
	})
}

// A file's stamp is as old as a tick of the kernel's clock when it is given, and the write still has its time.
func TestAWriteAtTheEndOfATickHasItsTimeToo(t *testing.T) {
	store := newMemory()
	store.timing = (&core.Files{}).Timing()
	together(t, store, func(g *group) {
		time.AfterFunc(999*time.Millisecond, func() { store.set(t, "a", start.Add(990*time.Millisecond)) })
		time.AfterFunc(1004*time.Millisecond, func() { store.fill(t, "a", "1") })
		g.expects(time.Second, "subscribed[a]=0.0&data=1", `{"s":1,"k":{"a":{0.99}},"d":{"a":1},"at":{"a":"{0.99}"}}`, 1010*time.Millisecond)
	})
}

// nested is JSON of so many levels.
func nested(levels int) string {
	return strings.Repeat(`{"a":[`, levels/2) + strings.Repeat(`]}`, levels/2)
}

// Chromium can't pass a value of some thousand levels between tabs, and its page would be without events from then on.
func TestEndpoint_RefusesJSONNestedDeeperThan100Levels(t *testing.T) {
	for _, test := range []struct {
		name, data string
		refused    bool
	}{
		{"100 levels", nested(100), false},
		{"102 levels", nested(102), true},
		{"more levels than encoding/json reads", nested(20_000), true},
		{"many values side by side", "[" + strings.Repeat("[],", 1000) + "[]]", false},
		{"brackets in a string", `["` + strings.Repeat(`[\"{`, 1000) + `"]`, false},
		{"brackets in a text that is not JSON", strings.Repeat("(:[", 200), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := newMemory()
			endpoint := core.NewEndpoint(store, core.Settings{})
			endpoint.MaxData = 1 << 20
			status, body := send(t, endpoint, httptest.NewRequest(http.MethodPost, "/?publish=a", strings.NewReader(test.data)))
			if test.refused && (status != http.StatusBadRequest || !strings.Contains(body, "deeper than 100 levels") || len(store.stamps) != 0) {
				t.Errorf("HTTP %d %s, published: %v; want 400 with the reason, and nothing published", status, body, store.stamps)
			}
			if !test.refused && (status != http.StatusOK || body != "true") {
				t.Errorf("HTTP %d %s; want it published", status, body)
			}
			if err := core.CheckData([]byte(test.data)); err != nil != test.refused {
				t.Errorf("CheckData: %v; want an error: %v", err, test.refused)
			}
		})
	}
}

// What another program has stored can't be refused any more.
func TestEndpoint_DeliversAnEventWithoutDataThatCannotBeDeliveredAndLogsItOnce(t *testing.T) {
	for _, test := range []struct{ name, data, reason string }{
		{"nested too deep", nested(102), "deeper than 100 levels"},
		{"Latin-1", "Gr\xfc\xdfe", "not UTF-8"},
		{"compressed", "\x1f\x8b\x08\x00", "not UTF-8"},
		{"too long", strings.Repeat("x", 1001), "data.max_bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := newMemory()
			endpoint := core.NewEndpoint(store, core.Settings{Tries: 1})
			log, lines := recorded()
			endpoint.Log, endpoint.MaxData = log, 1000
			logged := func(n int) {
				t.Helper()
				if got := lines(); len(got) != n || !strings.Contains(got[n-1], "event=a") || !strings.Contains(got[n-1], test.reason) {
					t.Errorf("logged %q; want %d lines with %q", got, n, test.reason)
				}
			}
			store.fill(t, "a", test.data)
			store.set(t, "a", start)
			for range 3 {
				if _, body := ask(t, endpoint, "subscribed[a]=0.0&data=1"); !strings.HasPrefix(body, `{"s":1,"k":{"a":946684800.000000},"at":`) {
					t.Errorf("answered %s; want the event without data", body)
				}
			}
			logged(1)
			store.set(t, "a", start.Add(time.Second))
			ask(t, endpoint, "subscribed[a]=0.0&data=1")
			logged(2)
		})
	}
}

func TestEndpoint_RefusesABodyThatCannotBeDelivered(t *testing.T) {
	for _, test := range []struct {
		name, coding, contentType, query, body string
		status                                 int
		says                                   string
	}{
		{"gzip", "gzip", "application/json", "publish=a", "\x1f\x8b\x08\x00", 415, `Content-Encoding is \"gzip\"`},
		{"a coding among others", "identity, br", "", "publish=a", "1", 415, `Content-Encoding is \"br\"`},
		{"a poll by a compressed form", "deflate", form, "", "subscribed[a]=now", 415, `Content-Encoding is \"deflate\"`},
		{"identity", "Identity", "", "publish=a", "1", 200, "true"},
		{"gzip that is not declared", "", "", "publish=a", "\x1f\x8b\x08\x00", 415, "send binary data as base64"},
		{"Latin-1", "", "text/plain; charset=iso-8859-1", "publish=a", "Gr\xfc\xdfe", 415, "convert it to UTF-8"},
		{"UTF-16", "", "", "publish=a", "\xff\xfe1\x00", 415, "not UTF-8"},
		{"JSON with a wrong byte", "", "", "publish=a", "{\"a\":\"\x80\"}", 415, "not UTF-8"},
		{"UTF-8", "", "", "publish=a", "Grüße", 200, "true"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, method := range []string{http.MethodPost, http.MethodPut} {
				if test.query == "" && method == http.MethodPut {
					continue // It reads no form.
				}
				store := newMemory()
				endpoint := core.NewEndpoint(store, core.Settings{})
				r := httptest.NewRequest(method, "/?"+test.query, strings.NewReader(test.body))
				r.Header.Set("Content-Encoding", test.coding)
				r.Header.Set("Content-Type", test.contentType)
				status, body := send(t, endpoint, r)
				if status != test.status || !strings.Contains(body, test.says) || (len(store.stamps) != 0) != (status == 200) {
					t.Errorf("%s: HTTP %d %s, published: %v; want %d with %s", method, status, body, store.stamps, test.status, test.says)
				}
			}
		})
	}
}
