package e2e_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"novcomet/examples/internal/launch"
)

// answer is the answer to a request.
type answer struct {
	status      int
	contentType string
	body        string
	took        time.Duration // from the request to the end of the body
	err         error
}

// newRequest returns a request whose context ends with the test. A body has the content type of a form.
func newRequest(t *testing.T, method, url, body string) *http.Request {
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

// send sends a request. The channel receives its answer.
func send(request *http.Request) <-chan answer {
	answers := make(chan answer, 1)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	start := time.Now()
	go func() {
		response, err := client.Do(request)
		if err != nil {
			answers <- answer{err: err}
			return
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		contentType := response.Header.Get("Content-Type")
		answers <- answer{response.StatusCode, contentType, string(body), time.Since(start), err}
	}()
	return answers
}

// sendQuery sends a GET request to the endpoint. The query is sent as it is.
func sendQuery(t *testing.T, site *launch.Site, query string) <-chan answer {
	t.Helper()
	return send(newRequest(t, http.MethodGet, site.URL+"/comet.php?"+query, ""))
}

// receiveWithin waits for the answer. After the time limit the test fails.
func receiveWithin(t *testing.T, limit time.Duration, answers <-chan answer) answer {
	t.Helper()
	select {
	case a := <-answers:
		if a.err != nil {
			t.Fatal(a.err)
		}
		return a
	case <-time.After(limit):
		t.Fatalf("no answer within %v", limit)
		panic("unreachable")
	}
}

func receive(t *testing.T, answers <-chan answer) answer {
	t.Helper()
	return receiveWithin(t, patience, answers)
}

func do(t *testing.T, request *http.Request) answer {
	t.Helper()
	return receive(t, send(request))
}

func query(t *testing.T, site *launch.Site, query string) answer {
	t.Helper()
	return receive(t, sendQuery(t, site, query))
}

// publish publishes an event by URL.
func publish(t *testing.T, site *launch.Site, id string) {
	t.Helper()
	wantBody(t, query(t, site, "publish="+id), "true")
}

// wantWaiting fails if the answer arrives within 300 ms, which is several checks of the store.
func wantWaiting(t *testing.T, answers <-chan answer) {
	t.Helper()
	select {
	case a := <-answers:
		t.Fatalf("the poll did not wait: %+v", a)
	case <-time.After(300 * time.Millisecond):
	}
}

// wantBody fails if the answer does not have status 200 and this body.
func wantBody(t *testing.T, a answer, body string) {
	t.Helper()
	if a.status != http.StatusOK || a.body != body {
		t.Fatalf("got %d %s, want 200 %s", a.status, a.body, body)
	}
}
