package examples_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"novcomet/examples/demo/launch"
)

// launchSite starts a server for as long as the test runs. What it said is shown when the test fails.
func launchSite(t *testing.T, o launch.Options) *launch.Site {
	t.Helper()
	site, err := launch.Start(t.Context(), o)
	if missing := new(launch.Missing); errors.As(err, &missing) {
		skipOrFail(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		log := site.Log()
		if err := site.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", o.Server, log)
		}
	})
	return site
}

// reply is what came back for a request, and when.
type reply struct {
	status int
	kind   string // Content-Type
	body   string
	took   time.Duration
	err    error
}

// asking sends a request; the reply comes over the channel.
func asking(request *http.Request) <-chan reply {
	replies := make(chan reply, 1)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	start := time.Now()
	go func() {
		answer, err := client.Do(request)
		if err != nil {
			replies <- reply{err: err}
			return
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		replies <- reply{answer.StatusCode, answer.Header.Get("Content-Type"), string(body), time.Since(start), err}
	}()
	return replies
}

// polling sends a GET of the endpoint with the query, byte for byte.
func polling(t *testing.T, site *launch.Site, query string) <-chan reply {
	t.Helper()
	return asking(request(t, http.MethodGet, site.URL+"/comet.php?"+query, ""))
}

// request makes a request that ends with the test. A body is a form's.
func request(t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// within waits for the reply and fails when there is none.
func within(t *testing.T, longest time.Duration, replies <-chan reply) reply {
	t.Helper()
	select {
	case r := <-replies:
		if r.err != nil {
			t.Fatal(r.err)
		}
		return r
	case <-time.After(longest):
		t.Fatalf("no answer within %v", longest)
		panic("unreachable")
	}
}

// stillWaits fails when the reply comes within a while that is several looks long.
func stillWaits(t *testing.T, replies <-chan reply) {
	t.Helper()
	select {
	case r := <-replies:
		t.Fatalf("the poll did not wait: %+v", r)
	case <-time.After(300 * time.Millisecond):
	}
}

// wantBody fails when the reply is not a 200 with this body.
func wantBody(t *testing.T, r reply, body string) {
	t.Helper()
	if r.status != http.StatusOK || r.body != body {
		t.Fatalf("got %d %s, want 200 %s", r.status, r.body, body)
	}
}
