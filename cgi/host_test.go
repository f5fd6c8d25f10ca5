package main

import (
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// hosted is comet.cgi below a real web server: that of net/http. Its error log has to stay empty.
func hosted(t *testing.T, directory string, env ...string) *httptest.Server {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "error.log"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&cgi.Handler{
		Path:   executable(t),
		Root:   "/comet.php",
		Env:    append(settings(directory), env...),
		Stderr: log,
	})
	t.Cleanup(func() {
		server.Close()
		log.Close()
		if said, err := os.ReadFile(log.Name()); err != nil || len(said) > 0 {
			t.Errorf("it said: %s (%v)", said, err)
		}
	})
	return server
}

func get(server *httptest.Server, query string) (status int, body string, err error) {
	r, err := server.Client().Get(server.URL + "/comet.php?" + query)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return r.StatusCode, string(b), err
}

func wantGet(t *testing.T, server *httptest.Server, query string, status int, part string) {
	t.Helper()
	got, body, err := get(server, query)
	if err != nil || got != status || !strings.Contains(body, part) {
		t.Errorf("?%s: HTTP %d %s, %v; want HTTP %d %s", query, got, body, err, status, part)
	}
}

func TestAWebServerStartsIt(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	server := hosted(t, directory)
	wantGet(t, server, "publish=news", 200, "true")
	wantGet(t, server, "subscribed[news]=1&subscribed[other]=1", 200, `{"s":1,"k":{"news":`)
	wantGet(t, server, "subscribed[other]=now", 200, `{"s":0,"at":{"other":"0.000000"}}`)
	wantGet(t, server, "publish=%2e%2e%2fescaped", 400, `{"error":"`)
	r, err := server.Client().Post(server.URL+"/comet.php", "application/x-www-form-urlencoded", strings.NewReader("publish=form"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if b, err := io.ReadAll(r.Body); err != nil || r.StatusCode != 200 || string(b) != "true" {
		t.Errorf("a form: HTTP %d %s, %v", r.StatusCode, b, err)
	}
	for _, id := range []string{"news", "form"} {
		if _, err := os.Stat(filepath.Join(directory, id+".comet")); err != nil {
			t.Error(err)
		}
	}
}

// One process each, that know nothing of each other.
func TestWhoeverWaitsIsAnsweredWhenAnyProgramPublishes(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	server := hosted(t, directory, "COMET_TRIES=1000")
	var polls sync.WaitGroup
	for range 8 {
		polls.Go(func() { wantGet(t, server, "subscribed[news]=0.0", 200, `{"s":1,"k":{"news":`) })
	}
	if err := os.WriteFile(filepath.Join(directory, "news.comet"), []byte("by any program"), 0o600); err != nil {
		t.Fatal(err)
	}
	polls.Wait()
	begin := time.Now()
	polls.Go(func() { wantGet(t, server, "subscribed[other]=0.0", 200, `{"s":1,"k":{"other":`) })
	wantGet(t, server, "publish=other", 200, "true")
	polls.Wait()
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestHEADNeitherPublishesNorWaits(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	server := hosted(t, directory, "COMET_TRIES=100000")
	for _, query := range []string{"publish=a", "subscribed[a]=0"} {
		r, err := server.Client().Head(server.URL + "/comet.php?" + query)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Errorf("HTTP %d", r.StatusCode)
		}
	}
	if got := events(t, directory); len(got) > 0 {
		t.Errorf("published %q", got)
	}
}
