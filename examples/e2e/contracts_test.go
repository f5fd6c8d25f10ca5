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

// rewriting maps /rewritten to the endpoint and adds a subscription to the query that came.
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
	// Not part of rewriting: headers with an underscore, which nginx drops unless told otherwise.
	nginxRewriting    = "underscores_in_headers on;\nrewrite ^/rewritten$ /comet.php?subscribed[added]=0.000000 last;"
	apacheRewriting   = "RewriteEngine On\nRewriteRule \"^/rewritten$\" \"/comet.php?subscribed[added]=0.000000\" [QSA,PT]"
	lighttpdRewriting = `url.rewrite-once = ( "^/rewritten\?(.*)$" => "/comet.php?subscribed[added]=0.000000&$1" )`
)

// contracts hold under every server. They share one site, where a poll waits for 60 s, so each has events of its own.
var contracts = []struct {
	name string
	hold func(*testing.T, *launch.Site)
}{
	{"a poll waits and is answered with a publication by URL", func(t *testing.T, site *launch.Site) {
		answersWaitingPoll(t, site, "by-url", func() {
			wantBody(t, within(t, patience, polling(t, site, "publish=by-url")), "true")
		})
	}},
	{"a poll waits and is answered with a touch", func(t *testing.T, site *launch.Site) {
		answersWaitingPoll(t, site, "by-touch", func() { shell(t, site, "touch by-touch.comet") })
	}},
	{"a poll waits and is answered with a file that another program writes", func(t *testing.T, site *launch.Site) {
		answersWaitingPoll(t, site, "by-echo", func() { shell(t, site, "echo x > by-echo.comet") })
	}},
	{"two events come in one answer, in the order asked", twoEventsInOneAnswer},
	{"an id that is not allowed is refused", badIDIsRefused},
	{"twenty polls wait at the same time", twentyPollsWait},
	{"a page is served beside it", pageBeside},
	{"the old client's query is understood", oldClientsQuery},
	{"a poll can be a form", formPolls},
	{"a body that says nothing is no harm", bodyThatSaysNothing},
	{"an event carries what is posted or written", eventsCarryData},
	{"a stream tells of each event when it happens", streamTells},
	{"a rewrite can add to the query", rewriteAdds},
	{"a strange Host is no error of the server", strangeHost},
	{"a client's header sets nothing", headerSetsNothing},
	{"only the old URL is mapped", onlyTheOldURL},
}

// answersWaitingPoll checks that a poll waits until publish was called, and that the subscriber, who keeps polling, learns
// the file's last stamp. A shell makes the file first and then writes into it: those are two stamps, and maybe two answers.
func answersWaitingPoll(t *testing.T, site *launch.Site, id string, publish func()) {
	poll := polling(t, site, "subscribed["+id+"]=0.000000")
	stillWaits(t, poll)
	publish()
	for last := stampOf(t, site, id); ; {
		r := within(t, patience, poll)
		var answer struct{ At map[string]string }
		if err := json.Unmarshal([]byte(r.body), &answer); err != nil {
			t.Fatalf("%s: %v", r.body, err)
		}
		stamp := answer.At[id]
		wantBody(t, r, fmt.Sprintf(`{"s":1,"k":{"%s":%s},"at":{"%[1]s":"%[2]s"}}`, id, stamp))
		if want := "application/json; charset=utf-8"; r.kind != want {
			t.Errorf("Content-Type %q, want %q", r.kind, want)
		}
		if stamp == last {
			return
		}
		poll = polling(t, site, "subscribed["+id+"]="+stamp)
	}
}

func twoEventsInOneAnswer(t *testing.T, site *launch.Site) {
	shell(t, site, "touch two-a.comet two-b.comet")
	a, b := stampOf(t, site, "two-a"), stampOf(t, site, "two-b")
	r := within(t, patience, polling(t, site, "subscribed[two-b]=0.000000&subscribed[two-a]=0.000000"))
	wantBody(t, r, fmt.Sprintf(`{"s":1,"k":{"two-b":%[2]s,"two-a":%[1]s},"at":{"two-b":"%[2]s","two-a":"%[1]s"}}`, a, b))
}

func badIDIsRefused(t *testing.T, site *launch.Site) {
	for _, query := range []string{"publish=bad/id", "publish=..%2Fid", "subscribed[.bad]=1", "subscribed[bad%2Fid]=now", "subscribed[a][b]=1"} {
		r := within(t, patience, polling(t, site, query))
		var answer struct{ Error string }
		if err := json.Unmarshal([]byte(r.body), &answer); err != nil || r.status != http.StatusBadRequest || answer.Error == "" {
			t.Errorf("%s: got %d %s, want 400 and {\"error\":…}", query, r.status, r.body)
		}
	}
}

func twentyPollsWait(t *testing.T, site *launch.Site) {
	polls := make([]<-chan reply, 20)
	for i := range polls {
		polls[i] = polling(t, site, "subscribed[twenty]=0.000000")
	}
	stillWaits(t, polls[19])
	for _, poll := range polls[:19] {
		select {
		case r := <-poll:
			t.Fatalf("a poll did not wait: %+v", r)
		default:
		}
	}
	wantBody(t, within(t, patience, polling(t, site, "publish=twenty")), "true")
	stamp := stampOf(t, site, "twenty")
	for _, poll := range polls {
		wantBody(t, within(t, patience, poll), fmt.Sprintf(`{"s":1,"k":{"twenty":%s},"at":{"twenty":"%[1]s"}}`, stamp))
	}
}

func pageBeside(t *testing.T, site *launch.Site) {
	page, err := os.ReadFile(filepath.Join("..", "browser", "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/index.html"} {
		// Following a redirection: Go's file server sends /index.html to /.
		wantBody(t, within(t, patience, asking(request(t, http.MethodGet, site.URL+path, ""))), string(page))
	}
}

func oldClientsQuery(t *testing.T, site *launch.Site) {
	// Publications of long ago: an answer with the current second would have to wait for its end.
	shell(t, site, "touch -d @1700000000 old-a.comet && touch -d @1700000005 old-b.comet")
	const body = `{"s":1,"k":{"old-a":1700000000,"old-b":1700000005}}`
	for _, query := range []string{
		"&subscribed[old-a]=1699999999&subscribed[old-b]=1700000004&%d",
		"&subscribed%%5Bold-a%%5D=1699999999&subscribed%%5Bold-b%%5D=1700000004&%d",
	} {
		wantBody(t, within(t, patience, polling(t, site, fmt.Sprintf(query, time.Now().UnixMilli()))), body)
	}
}

func formPolls(t *testing.T, site *launch.Site) {
	shell(t, site, "touch -d @1700000000 form.comet")
	const form = "subscribed[form]=1699999999&subscribed[form-other]=1700000000"
	r := within(t, patience, asking(request(t, http.MethodPost, site.URL+"/comet.php", form)))
	wantBody(t, r, `{"s":1,"k":{"form":1700000000}}`)
}

// It may end the program before anybody has read it.
func bodyThatSaysNothing(t *testing.T, site *launch.Site) {
	shell(t, site, "touch -d @1700000000 body.comet")
	for _, body := range []string{"x=1", strings.Repeat("x", 50_000)} {
		publication := within(t, patience, asking(request(t, http.MethodPost, site.URL+"/comet.php?publish=body-published", body)))
		wantBody(t, publication, "true")
		poll := within(t, patience, asking(request(t, http.MethodPost, site.URL+"/comet.php?subscribed[body]=1699999999", body)))
		wantBody(t, poll, `{"s":1,"k":{"body":1700000000}}`)
	}
	tooLarge := within(t, patience, asking(request(t, http.MethodPost, site.URL+"/comet.php", strings.Repeat("x", 500_000))))
	if tooLarge.status != http.StatusRequestEntityTooLarge || !strings.Contains(tooLarge.body, `{"error":`) {
		t.Errorf("too large a form: got %d %s, want 413 that says so", tooLarge.status, tooLarge.body)
	}
}

func rewriteAdds(t *testing.T, site *launch.Site) {
	if rewriting[launch.Server(strings.Split(t.Name(), "/")[1])] == "" {
		t.Skip("this server rewrites nothing")
	}
	shell(t, site, "touch -d @1700000000 given.comet added.comet")
	r := within(t, patience, asking(request(t, http.MethodGet, site.URL+"/rewritten?subscribed[given]=0.000000", "")))
	var answer struct{ K map[string]float64 }
	if err := json.Unmarshal([]byte(r.body), &answer); err != nil || answer.K["given"] == 0 || answer.K["added"] == 0 {
		t.Fatalf("got %d %s, want both events, the one given and the one added", r.status, r.body)
	}
}

// Each server has its own idea of which Host it lets through; what it does must not become an HTTP 500.
func strangeHost(t *testing.T, site *launch.Site) {
	for _, host := range []string{"a b", "a@b", "a/b", "a_b:x", "[::1", "%zz", "ä"} {
		c, err := net.Dial("tcp", strings.TrimPrefix(site.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(c, "GET /comet.php?publish=host HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		c.Close()
		if err != nil {
			t.Fatalf("Host: %s: %v", host, err)
		}
		if answer.StatusCode >= 500 {
			t.Errorf("Host: %s is answered with %s", host, answer.Status)
		}
	}
}

// With one try, or a setting that is refused, the poll would not wait.
func headerSetsNothing(t *testing.T, site *launch.Site) {
	r := request(t, http.MethodGet, site.URL+"/comet.php?subscribed[never]=0.000000&wait=1", "")
	r.Header["COMET_TRIES"] = []string{"1"}
	r.Header["Comet-Tries"] = []string{"1"}
	r.Header["COMET_NONSENSE"] = []string{"1"}
	answer := within(t, patience, asking(r))
	wantBody(t, answer, `{"s":0,"at":{"never":"0.000000"}}`)
	if answer.took < time.Second {
		t.Errorf("the poll ended after %v, want the 1 s it asked for", answer.took)
	}
}

func onlyTheOldURL(t *testing.T, site *launch.Site) {
	for _, path := range []string{"/comet.phpx", "/xcomet.php", "/comet.php/x", "/x/comet.php", "/comet.cgi", "/comet-fcgi"} {
		r := within(t, patience, asking(request(t, http.MethodGet, site.URL+path+"?publish=elsewhere", "")))
		if r.status != http.StatusNotFound {
			t.Errorf("%s: got %d %s, want 404", path, r.status, r.body)
		}
	}
	if _, err := os.Stat(eventFile(site, "elsewhere")); !os.IsNotExist(err) {
		t.Errorf("another URL published: %v", err)
	}
}

func shell(t *testing.T, site *launch.Site, script string) {
	t.Helper()
	if err := site.Shell(t.Context(), script); err != nil {
		t.Fatal(err)
	}
}
