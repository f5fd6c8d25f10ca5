package soak

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"novcomet/core"
	"novcomet/core/event"
	"novcomet/core/store"
	"novcomet/core/store/files"
	"novcomet/examples/internal/launch"
)

// The tests wait more than they compute, so many of them run at the same time.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "16")
	goleak.VerifyTestMain(m)
}

func TestRun_MissesNothingWithRealServers(t *testing.T) {
	t.Parallel()
	for server, pages := range map[launch.Server]int{launch.Nginx: 60, launch.ApacheProxy: 60, launch.ApacheCGI: 16} {
		t.Run(string(server), func(t *testing.T) {
			t.Parallel()
			o := Options{Server: server, Store: filesStore, Pages: pages, Time: 8 * time.Second, Slack: 30 * time.Second}
			r, h, err := Run(t.Context(), o, func(string) {})
			if err != nil {
				t.Fatal(err)
			}
			t.Log(printed(r))
			bothJudge(t, h)
			// On an overloaded machine comet-fcgi cannot answer everybody in the time that it has to end.
			overloaded := r.Longest > 4.5
			bad := r.Missed+r.Invented+r.Disordered+r.Torn+r.Stale+r.Early > 0 || r.Expected == 0 // whatever the load
			if bad || !r.Good() && !overloaded {
				t.Errorf("something was missed or went wrong; the log:\n%s", r.Log)
			}
			if restarted := r.Disturbances["restart"] > 0; restarted != server.HasDaemon() {
				t.Errorf("%d restarts", r.Disturbances["restart"])
			}
			if reloaded := r.Disturbances["reload"] > 0; reloaded != server.Reloads() {
				t.Errorf("%d reloads", r.Disturbances["reload"])
			}
		})
	}
}

func TestSoak_DetectsAFaultyServer(t *testing.T) {
	t.Parallel()
	missed := func(r *Report) bool { return r.Never > 0 }
	for name, test := range map[string]struct {
		serve faulty
		found func(*Report) bool
	}{
		"comet.php misses what comes later in a second": {cometPHP, func(r *Report) bool {
			return missed(r) && r.Invented == 0
		}},
		"some publications are not seen": {blinking, missed},
		"some answers lose their events": {losing, missed},
		"another directory is checked": {blind, func(r *Report) bool {
			return missed(r) && r.Never == r.Expected
		}},
		"answers come too late":            {late, func(r *Report) bool { return r.Late > 0 }},
		"some stamps were never published": {inventing, func(r *Report) bool { return r.Invented > 0 }},
		"some requests fail": {failing, func(r *Report) bool {
			return r.Ended > 0 && r.Errors["polling legacy: HTTP 502"] == r.Ended && r.Errors["polling precise: HTTP 502"] > 0
		}},
		"some answers have another form":             {misspelling, func(r *Report) bool { return r.Ended > 0 }},
		"some answers have the data of another page": {sharing, func(r *Report) bool { return r.Ended > 0 }},
		"some unchanged polls are answered at once":  {hasty, func(r *Report) bool { return r.Early > 0 }},
		"streams end after their first id":           {brief, func(r *Report) bool { return r.Early > 0 }},
		"unchanged polls are never answered":         {endless, func(r *Report) bool { return r.Overdue > 0 }},
		"streams never end":                          {ageless, func(r *Report) bool { return r.Overdue > 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const patience = 2 * time.Minute // A run is short and random, so it may not meet the fault.
			for end := time.Now().Add(patience); ; {
				r := bothJudge(t, soakHere(t, test.serve, time.Second))
				if test.found(r) && !r.Good() {
					return
				}
				if time.Now().After(end) {
					t.Fatalf("not detected:\n%s", printed(r))
				}
			}
		})
	}
	t.Run("a correct server has no fault", func(t *testing.T) {
		t.Parallel()
		h := soakHere(t, correctly, time.Minute)
		if r := bothJudge(t, h); !r.Good() {
			t.Error(printed(r))
		}
	})
}

// faulty returns a handler with a fault, made of a correct one or of its own.
type faulty func(t *testing.T, directory string, correct http.Handler) http.Handler

func correctly(_ *testing.T, _ string, correct http.Handler) http.Handler { return correct }

// soakHere soaks a server in this process.
func soakHere(t *testing.T, serve faulty, slack time.Duration) *History {
	t.Helper()
	directory := t.TempDir()
	server := httptest.NewServer(serve(t, directory, endpoint(t, filesIn(directory))))
	defer server.Close()
	o := Options{Server: "this process", Pages: 40, Time: 5 * time.Second, Slack: slack}
	f := &fileStore{events: directory}
	s := &soak{endpoint: server.URL + "/", options: o, store: f, events: newEvents(o.Pages), failures: map[string]int{}}
	s.history.Run = settings{
		Slack: toMicros(slack), Sleep: toMicros(time.Second), Wait: toMicros(2 * time.Second), Age: toMicros(age),
		Notifies: true,
	}
	rewrite := func(_ context.Context, id, data string) error { return os.WriteFile(f.file(id), []byte(data), 0o644) }
	s.ways = append(s.byURL(), way{name: "rewriting", data: true, alone: true, publish: rewrite})
	if err := s.run(t.Context(), func(string) {}); err != nil {
		t.Fatal(err)
	}
	return &s.history
}

// age is the age at which a stream of a server in this process ends.
const age = 3 * time.Second

func printed(r *Report) string {
	var b strings.Builder
	r.Print(&b)
	return b.String()
}

func endpoint(t *testing.T, s store.Store) http.Handler {
	return endpointWith(t, s, core.Options{Location: core.Location{Tries: 2, Sleep: time.Second, StreamEnd: age}})
}

func endpointWith(t *testing.T, s store.Store, o core.Options) http.Handler {
	e := core.NewEndpoint(s, o)
	t.Cleanup(e.Close)
	return e
}

func filesIn(directory string) *files.Store { return &files.Store{Directory: directory, Mode: 0o644} }

// cometPHP answers legacy polls like comet.php.
func cometPHP(_ *testing.T, directory string, correct http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		precise := strings.Contains(r.URL.RawQuery, "]=now") || strings.Contains(r.URL.RawQuery, ".")
		if err != nil || query.Has("publish") || precise {
			correct.ServeHTTP(w, r)
			return
		}
		for range 100 {
			var changed []string
			for key := range query {
				id := strings.TrimSuffix(strings.TrimPrefix(key, "subscribed["), "]")
				since, _ := strconv.ParseInt(query.Get(key), 10, 64)
				file, err := os.Stat(filepath.Join(directory, id+".comet"))
				if err == nil && file.ModTime().Unix() > since {
					changed = append(changed, fmt.Sprintf(`"%s":%d`, id, file.ModTime().Unix()))
				}
			}
			if len(changed) > 0 {
				fmt.Fprintf(w, `{"s":1,"k":{%s}}`, strings.Join(changed, ","))
				return
			}
			if launch.Sleep(r.Context(), 50*time.Millisecond) != nil {
				return
			}
		}
		fmt.Fprint(w, `{"s":0}`)
	})
}

// oddBlind is a store that does not see odd stamps.
type oddBlind struct{ *files.Store }

func (b oddBlind) Check(ctx context.Context, ids []event.ID) (store.Snapshot, error) {
	snapshot, err := b.Store.Check(ctx, ids)
	for i, stamp := range snapshot.Stamps {
		if stamp%2 == 1 {
			snapshot.Stamps[i] = 0
		}
	}
	return snapshot, err
}

func blinking(t *testing.T, directory string, _ http.Handler) http.Handler {
	return endpoint(t, oddBlind{filesIn(directory)})
}

// blind checks a directory in which nothing is published.
func blind(t *testing.T, _ string, correct http.Handler) http.Handler {
	empty := endpoint(t, filesIn(t.TempDir()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.RawQuery, "publish=") {
			correct.ServeHTTP(w, r)
			return
		}
		empty.ServeHTTP(w, r)
	})
}

var changes = regexp.MustCompile(`"s":1,"k":\{[^}]*\},`)

// losing moves the cursor in some answers without naming the change.
func losing(_ *testing.T, _ string, correct http.Handler) http.Handler {
	return rewritten(correct, func(body string) string { return changes.ReplaceAllString(body, `"s":0,`) })
}

// inventing puts a second without publication into some legacy answers.
func inventing(_ *testing.T, _ string, correct http.Handler) http.Handler {
	numbers := regexp.MustCompile(`:[0-9]{9,}}}$`)
	return rewritten(correct, func(body string) string { return numbers.ReplaceAllString(body, `:1000000000}}`) })
}

// misspelling renames a member of some answers.
func misspelling(_ *testing.T, _ string, correct http.Handler) http.Handler {
	return rewritten(correct, func(body string) string { return strings.Replace(body, `{"s"`, `{"status"`, 1) })
}

// hasty does not let some polls wait.
func hasty(_ *testing.T, _ string, correct http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rand.IntN(5) == 0 && r.Header.Get("Accept") == "" {
			r = r.Clone(r.Context())
			r.URL.RawQuery += "&wait=0"
		}
		correct.ServeHTTP(w, r)
	})
}

// brief ends each stream after its first part, as if too many streams were open.
func brief(t *testing.T, directory string, _ http.Handler) http.Handler {
	return endpointWith(t, filesIn(directory), core.Options{
		Location: core.Location{Tries: 2, Sleep: time.Second, StreamEnd: age}, Limits: core.Limits{MaxStreams: 1},
	})
}

// endless never answers a poll unchanged.
func endless(t *testing.T, directory string, _ http.Handler) http.Handler {
	return endpointWith(t, filesIn(directory), core.Options{
		Location: core.Location{Tries: 1000, Sleep: time.Second, StreamEnd: age},
	})
}

// ageless never ends a stream.
func ageless(t *testing.T, directory string, _ http.Handler) http.Handler {
	return endpointWith(t, filesIn(directory), core.Options{
		Location: core.Location{Tries: 2, Sleep: time.Second, StreamEnd: time.Hour},
	})
}

// sharing answers some polls with data that only others have asked for.
func sharing(_ *testing.T, _ string, correct http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rand.IntN(2) == 0 && strings.Contains(r.URL.RawQuery, ".") && !strings.Contains(r.URL.RawQuery, "data=1") {
			r = r.Clone(r.Context())
			r.URL.RawQuery += "data=1"
		}
		correct.ServeHTTP(w, r)
	})
}

// rewritten changes every fifth answer to a poll.
func rewritten(correct http.Handler, change func(body string) string) http.Handler {
	return through(correct, func(_ context.Context, body string) string {
		if rand.IntN(5) == 0 && strings.HasPrefix(body, "{") {
			body = change(body)
		}
		return body
	})
}

// late delays each answer to a poll by two seconds.
func late(_ *testing.T, _ string, correct http.Handler) http.Handler {
	return through(correct, func(ctx context.Context, body string) string {
		if launch.Sleep(ctx, 2*time.Second) != nil {
			return ""
		}
		return body
	})
}

// through passes each answer to a poll through a function. Streams stay as they are.
func through(correct http.Handler, change func(ctx context.Context, body string) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != "" { // a stream
			correct.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		correct.ServeHTTP(answer, r)
		fmt.Fprint(w, change(r.Context(), answer.Body.String()))
	})
}

// failing answers each tenth request with HTTP 502.
func failing(_ *testing.T, _ string, correct http.Handler) http.Handler {
	var requests atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1)%10 == 0 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		correct.ServeHTTP(w, r)
	})
}
