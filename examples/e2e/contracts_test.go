package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"novcomet/examples/internal/launch"
)

// rewriting has configuration that rewrites /rewritten to the endpoint and adds a subscription to the query.
var rewriting = map[launch.Server]string{
	launch.ApacheCGI:   apacheRewriting,
	launch.ApacheProxy: apacheRewriting,
	launch.ApacheFcgid: apacheRewriting,
	launch.Nginx:       nginxRewriting,
	launch.NginxBoth:   nginxRewriting,
	launch.LighttpdCGI: lighttpdRewriting,
	launch.Lighttpd:    lighttpdRewriting,
	launch.Caddy:       "rewrite /rewritten /comet.php?subscribed[added]=0.000000&{query}",
}

const (
	apacheRewriting = `RewriteEngine On
RewriteRule "^/rewritten$" "/comet.php?subscribed[added]=0.000000" [QSA,PT]`
	lighttpdRewriting = `url.rewrite-once = (
	"^/rewritten\?(.*)$" => "/comet.php?subscribed[added]=0.000000&$1"
)`
	// By default nginx drops headers with an underscore. testHeaderSetsNothing sends some.
	nginxRewriting = `underscores_in_headers on;
rewrite ^/rewritten$ /comet.php?subscribed[added]=0.000000 last;`
)

// contracts hold with every server. They share a site where a poll waits for 60 s. Each has its own events.
var contracts = []struct {
	name string
	test func(*testing.T, *launch.Site)
}{
	{"a poll waits for a publication by URL", func(t *testing.T, site *launch.Site) {
		testWaitingPoll(t, site, "by-url", func() { publish(t, site, "by-url") })
	}},
	{"a poll waits for a touch", func(t *testing.T, site *launch.Site) {
		testWaitingPoll(t, site, "by-touch", func() { shell(t, site, "touch by-touch.comet") })
	}},
	{"a poll waits for a file that another program writes", func(t *testing.T, site *launch.Site) {
		testWaitingPoll(t, site, "by-echo", func() { shell(t, site, "echo x > by-echo.comet") })
	}},
	{"one answer has two events in the order of the query", testTwoEvents},
	{"an invalid id is refused", testInvalidID},
	{"twenty polls wait at the same time", testTwentyPolls},
	{"the server has other pages, too", testOtherPages},
	{"the query of comet.php's client is understood", testLegacyQuery},
	{"a poll can be a form", testForm},
	{"a body without a meaning does no harm", testMeaninglessBody},
	{"an event carries data", testData},
	{"a stream reports each event when it happens", testStream},
	{"a rewrite can add to the query", testRewrite},
	{"an invalid Host does not fail the server", testInvalidHost},
	{"a request header sets nothing", testHeaderSetsNothing},
	{"only /comet.php is the endpoint", testOtherURLs},
}

// testWaitingPoll checks that a poll waits until publish was called, and that a client that continues to poll
// gets the last stamp. There may be two: a shell first creates the file and then writes to it.
func testWaitingPoll(t *testing.T, site *launch.Site, id string, publish func()) {
	poll := sendQuery(t, site, "subscribed["+id+"]=0.000000")
	wantWaiting(t, poll)
	publish()
	for last := stampOf(t, site, id); ; {
		a := receive(t, poll)
		var body struct{ At map[string]string }
		if err := json.Unmarshal([]byte(a.body), &body); err != nil {
			t.Fatalf("%s: %v", a.body, err)
		}
		stamp := body.At[id]
		wantBody(t, a, fmt.Sprintf(`{"s":1,"k":{"%s":%s},"at":{"%[1]s":"%[2]s"}}`, id, stamp))
		if want := "application/json; charset=utf-8"; a.contentType != want {
			t.Errorf("Content-Type %q, want %q", a.contentType, want)
		}
		if stamp == last {
			return
		}
		poll = sendQuery(t, site, "subscribed["+id+"]="+stamp)
	}
}

func testTwoEvents(t *testing.T, site *launch.Site) {
	shell(t, site, "touch two-a.comet two-b.comet")
	stamps := []any{stampOf(t, site, "two-a"), stampOf(t, site, "two-b")}
	a := query(t, site, "subscribed[two-b]=0.000000&subscribed[two-a]=0.000000")
	const want = `{"s":1,"k":{"two-b":%[2]s,"two-a":%[1]s},"at":{"two-b":"%[2]s","two-a":"%[1]s"}}`
	wantBody(t, a, fmt.Sprintf(want, stamps...))
}

func testInvalidID(t *testing.T, site *launch.Site) {
	for _, text := range []string{
		"publish=bad/id", "publish=..%2Fid", "subscribed[.bad]=1", "subscribed[bad%2Fid]=now", "subscribed[a][b]=1",
	} {
		a := query(t, site, text)
		var body struct{ Error string }
		err := json.Unmarshal([]byte(a.body), &body)
		if err != nil || a.status != http.StatusBadRequest || body.Error == "" {
			t.Errorf("%s: got %d %s, want 400 and {\"error\":…}", text, a.status, a.body)
		}
	}
}

func testTwentyPolls(t *testing.T, site *launch.Site) {
	polls := make([]<-chan answer, 20)
	for i := range polls {
		polls[i] = sendQuery(t, site, "subscribed[twenty]=0.000000")
	}
	wantWaiting(t, polls[19])
	for _, poll := range polls[:19] {
		select {
		case a := <-poll:
			t.Fatalf("a poll did not wait: %+v", a)
		default:
		}
	}
	publish(t, site, "twenty")
	stamp := stampOf(t, site, "twenty")
	for _, poll := range polls {
		wantBody(t, receive(t, poll), fmt.Sprintf(`{"s":1,"k":{"twenty":%s},"at":{"twenty":"%[1]s"}}`, stamp))
	}
}

func testOtherPages(t *testing.T, site *launch.Site) {
	page, err := os.ReadFile(filepath.Join("..", "browser", "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	want := launch.WithDirectory(string(page), site.Events)
	for _, path := range []string{"/", "/index.html"} {
		wantBody(t, do(t, newRequest(t, http.MethodGet, site.URL+path, "")), want)
	}
}

func testLegacyQuery(t *testing.T, site *launch.Site) {
	// Old stamps: an answer with the current second is held until the second ends.
	shell(t, site, "touch -d @1700000000 old-a.comet && touch -d @1700000005 old-b.comet")
	for _, text := range []string{
		"&subscribed[old-a]=1699999999&subscribed[old-b]=1700000004&%d",
		"&subscribed%%5Bold-a%%5D=1699999999&subscribed%%5Bold-b%%5D=1700000004&%d",
	} {
		a := query(t, site, fmt.Sprintf(text, time.Now().UnixMilli()))
		wantBody(t, a, `{"s":1,"k":{"old-a":1700000000,"old-b":1700000005}}`)
	}
}

func testForm(t *testing.T, site *launch.Site) {
	shell(t, site, "touch -d @1700000000 form.comet")
	const form = "subscribed[form]=1699999999&subscribed[form-other]=1700000000"
	a := do(t, newRequest(t, http.MethodPost, site.URL+"/comet.php", form))
	wantBody(t, a, `{"s":1,"k":{"form":1700000000}}`)
}

// A program may end before the server has passed on the body.
func testMeaninglessBody(t *testing.T, site *launch.Site) {
	shell(t, site, "touch -d @1700000000 body.comet")
	for _, body := range []string{"x=1", strings.Repeat("x", 50_000)} {
		publication := newRequest(t, http.MethodPost, site.URL+"/comet.php?publish=body-published", body)
		wantBody(t, do(t, publication), "true")
		poll := newRequest(t, http.MethodPost, site.URL+"/comet.php?subscribed[body]=1699999999", body)
		wantBody(t, do(t, poll), `{"s":1,"k":{"body":1700000000}}`)
	}
	a := do(t, newRequest(t, http.MethodPost, site.URL+"/comet.php", strings.Repeat("x", 500_000)))
	if a.status != http.StatusRequestEntityTooLarge || !strings.Contains(a.body, `{"error":`) {
		t.Errorf("a form that is too large: got %d %s, want 413 and {\"error\":…}", a.status, a.body)
	}
}

func testData(t *testing.T, site *launch.Site) {
	const object = `{"build":"green"}`
	url := site.URL + "/comet.php?publish=carrying"
	wantBody(t, do(t, newRequest(t, http.MethodPost, url, object)), "true") // with the content type of curl -d
	put := newRequest(t, http.MethodPut, url, object)
	put.Header.Set("Content-Type", "application/json")
	wantBody(t, do(t, put), "true")
	a := query(t, site, "subscribed[carrying]=0.000000&data=1")
	if !strings.Contains(a.body, `"d":{"carrying":`+object+`}`) {
		t.Errorf("got %s, want the object", a.body)
	}
	poll := sendQuery(t, site, "subscribed[carrying]="+stampOf(t, site, "carrying")+"&data=1")
	wantWaiting(t, poll)
	shell(t, site, "echo words >.carrying && mv .carrying carrying.comet")
	if a := receive(t, poll); !strings.Contains(a.body, `"d":{"carrying":"words"}`) {
		t.Errorf("got %s, want the words", a.body)
	}
}

func testStream(t *testing.T, site *launch.Site) {
	s := openStream(t, site, "subscribed[streamed]=now&subscribed[other]=now", "")
	defer s.close()
	s.next(t, "retry: ")
	s.next(t, "id: 0.000000,0.000000")
	shell(t, site, "touch -d @1763800000.5 streamed.comet")
	s.next(t, "event: streamed")
	for last := ""; last != "1763800000.500000"; { // touch first creates the file, with the current time.
		last, _, _ = strings.Cut(s.next(t, "id: "), ",")
	}
	publish(t, site, "other")
	s.next(t, "event: other")
	stamp := stampOf(t, site, "other")
	s.next(t, `data: {"s":1,"k":{"other":`+stamp+`},"at":{"other":"`+stamp+`"}}`)
	s.next(t, "id: 1763800000.500000,"+stamp)
}

func testRewrite(t *testing.T, site *launch.Site) {
	shell(t, site, "touch -d @1700000000 given.comet added.comet")
	a := do(t, newRequest(t, http.MethodGet, site.URL+"/rewritten?subscribed[given]=0.000000", ""))
	var body struct{ K map[string]float64 }
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || body.K["given"] == 0 || body.K["added"] == 0 {
		t.Fatalf("got %d %s, want the given and the added event", a.status, a.body)
	}
}

// The servers let different Host headers pass. None may lead to an HTTP 500.
func testInvalidHost(t *testing.T, site *launch.Site) {
	for _, host := range []string{"a b", "a@b", "a/b", "a_b:x", "[::1", "%zz", "ä"} {
		c, err := net.Dial("tcp", strings.TrimPrefix(site.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(c, "GET /comet.php?publish=host HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		c.Close()
		if err != nil {
			t.Fatalf("Host: %s: %v", host, err)
		}
		if response.StatusCode >= 500 {
			t.Errorf("Host: %s: HTTP %s", host, response.Status)
		}
	}
}

// If a header set tries to 1, or an unknown key, the poll would not wait.
func testHeaderSetsNothing(t *testing.T, site *launch.Site) {
	r := newRequest(t, http.MethodGet, site.URL+"/comet.php?subscribed[never]=0.000000&wait=1", "")
	r.Header["COMET_TRIES"] = []string{"1"}
	r.Header["Comet-Tries"] = []string{"1"}
	r.Header["COMET_NONSENSE"] = []string{"1"}
	a := do(t, r)
	wantBody(t, a, `{"s":0,"at":{"never":"0.000000"}}`)
	if a.took < time.Second {
		t.Errorf("the poll ended after %v, want wait=1, 1 s", a.took)
	}
}

func testOtherURLs(t *testing.T, site *launch.Site) {
	for _, path := range []string{
		"/comet.phpx", "/xcomet.php", "/comet.php/x", "/x/comet.php", "/comet.cgi", "/comet-fcgi",
	} {
		a := do(t, newRequest(t, http.MethodGet, site.URL+path+"?publish=elsewhere", ""))
		if a.status != http.StatusNotFound {
			t.Errorf("%s: got %d %s, want 404", path, a.status, a.body)
		}
	}
	if _, err := os.Stat(eventFile(site, "elsewhere")); !os.IsNotExist(err) {
		t.Errorf("a request to another URL published: %v", err)
	}
}
