package soak

import (
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"novcomet/core"
	"novcomet/examples/internal/launch"
)

// The tests wait more than they compute, so that many of them run at a time, also on few processors.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "16")
	goleak.VerifyTestMain(m)
}

// The slack is that of a machine with other things to do; it costs nothing when all is well.
func TestNothingIsMissed(t *testing.T) {
	t.Parallel()
	for server, pages := range map[launch.Server]int{launch.Nginx: 60, launch.ApacheProxy: 60, launch.ApacheCGI: 16} {
		t.Run(string(server), func(t *testing.T) {
			t.Parallel()
			o := Options{Server: server, Pages: pages, Time: 8 * time.Second, Slack: 30 * time.Second}
			r, err := Run(t.Context(), o, func(string) {})
			if err != nil {
				t.Fatal(err)
			}
			t.Log(text(r))
			// On a machine that hardly gets to it comet-fcgi cuts off whom it has not answered in the time that it has to end.
			cutOff := r.Restart > 4.5
			if bad := r.Missed > 0 || r.Spurious > 0 || r.Judged == 0; bad || !r.Good() && !cutOff {
				t.Errorf("not everything was as it should be; the log:\n%s", r.Log)
			}
			if restarted := r.Restarts > 0; restarted != server.HasDaemon() {
				t.Errorf("%d restarts", r.Restarts)
			}
			if reloaded := r.Reloads > 0; reloaded != server.Reloads() {
				t.Errorf("%d reloads", r.Reloads)
			}
		})
	}
}

// A soak that finds nothing wrong is worth something only if it finds what is.
func TestWhatIsWrongIsFound(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		serve func(t *testing.T, directory string, good http.Handler) http.Handler
		found func(*Report) bool
	}{
		{"comet.php itself, which loses what comes later in a second", cometPHP, func(r *Report) bool { return r.Never > 0 && r.Spurious == 0 }},
		{"a server that does not see every publication", blink, func(r *Report) bool { return r.Never > 0 }},
		{"answers that go astray", astray, func(r *Report) bool { return r.Never > 0 }},
		{"a server that looks elsewhere", elsewhere, func(r *Report) bool { return r.Never > 0 && r.Never == r.Judged }},
		{"answers too late", late, func(r *Report) bool { return r.Late > 0 }},
		{"answers of nothing", nothing, func(r *Report) bool { return r.Spurious > 0 }},
		{"an error now and then", broken, func(r *Report) bool {
			return r.Died > 0 && r.Errors["polling whole-second: HTTP 502"] == r.Died && r.Errors["polling precise: HTTP 502"] > 0
		}},
		{"answers in other words", babble, func(r *Report) bool { return r.Died > 0 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			const patience = 2 * time.Minute // What happens is up to chance, and on a loaded machine it is little.
			for end := time.Now().Add(patience); ; {
				r := soakHere(t, tt.serve, time.Second)
				if tt.found(r) && !r.Good() {
					return
				}
				if time.Now().After(end) {
					t.Fatalf("not found:\n%s", text(r))
				}
			}
		})
	}
	t.Run("and nothing else", func(t *testing.T) {
		t.Parallel()
		r := soakHere(t, func(_ *testing.T, _ string, good http.Handler) http.Handler { return good }, time.Minute)
		if !r.Good() {
			t.Error(text(r))
		}
	})
}

// soakHere soaks a server of this process.
func soakHere(t *testing.T, serve func(t *testing.T, directory string, good http.Handler) http.Handler, slack time.Duration) *Report {
	t.Helper()
	directory := t.TempDir()
	server := httptest.NewServer(serve(t, directory, endpoint(t, files(directory))))
	defer server.Close()
	file := regexp.MustCompile(`\S+\.comet`)
	p := place{endpoint: server.URL + "/", directory: directory, tells: true, shell: func(_ context.Context, script string) error {
		return os.WriteFile(filepath.Join(directory, file.FindString(script)), []byte(script), 0o644)
	}}
	r, err := p.soak(t.Context(), Options{Server: launch.Server("this process"), Pages: 40, Time: 5 * time.Second, Slack: slack}, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func text(r *Report) string {
	var b strings.Builder
	r.Print(&b)
	return b.String()
}

func endpoint(t *testing.T, store core.Store) http.Handler {
	e := core.NewEndpoint(store, core.Settings{Tries: 5, Sleep: time.Second})
	t.Cleanup(e.Close)
	return e
}

func files(directory string) *core.Files { return &core.Files{Directory: directory, Mode: 0o644} }
