package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"novcomet/conf"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

func TestAnnounce_WarnsOfAWaitThatIsTooLongForWebServers(t *testing.T) {
	t.Parallel()
	p, path := startServer(t, t.TempDir(), "COMET_TRIES=60", "COMET_SLEEP=1")
	wantPublished(t, path, "a")
	p.wantMessage("level=WARN", "fastcgi_read_timeout")
}

// Without free connections, publications would wait in the backlog of the socket.
func TestWithMaxWaiting_LeavesConnectionsForOtherRequests(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ set, connections, want int }{
		{0, 896, 717}, {717, 896, 717}, {718, 896, 717}, {5000, 896, 717}, {10, 896, 10},
		{0, 10_000, 9000}, {9001, 10_000, 9000}, {1, 16, 1}, {0, 16, 13},
	} {
		if got := withMaxWaiting(conf.Config{MaxWaiting: test.set}, test.connections).MaxWaiting; got != test.want {
			t.Errorf("max_waiting %d with %d connections: %d, want %d", test.set, test.connections, got, test.want)
		}
	}
}

func TestMaxConnections_LeavesOpenFilesForTheStore(t *testing.T) {
	t.Parallel()
	socket, path := listeningSocket(t)
	directory := t.TempDir()
	p := start(t, directory, startOptions{
		role: roleFewFiles, stdin: socket, env: []string{"COMET_REQUEST_TIMEOUT=10m", longPoll},
	})
	poll := connect(t, path)
	poll.Send(t, Request(1, 0, Get("subscribed[a]=0.0"), ""))
	idle := connectMany(t, path, 2*fewFiles)
	touch(t, filepath.Join(directory, "a.comet"))
	poll.WantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	idle.close()
	wantPublished(t, path, "a")
	p.terminate()
}

func TestInForce_UsesTheWaitOfTheLocation(t *testing.T) {
	t.Parallel()
	const usual = 200 * time.Millisecond
	_, usualPath := startServer(t, t.TempDir()) // 4 tries, 50 ms apart
	_, longPath := startServer(t, t.TempDir(), longPoll)
	for _, test := range []struct {
		name      string
		path      string
		variables []string
		wait      time.Duration
	}{
		{"without variables", usualPath, nil, usual},
		{"tries", usualPath, []string{"COMET_TRIES", "8"}, 2 * usual},
		{"tries and sleep", usualPath, []string{"COMET_TRIES", "3", "COMET_SLEEP", "250ms"}, 750 * time.Millisecond},
		{"an empty variable", usualPath, []string{"COMET_TRIES", ""}, usual},
		{"request headers", usualPath, []string{"HTTP_COMET_TRIES", "1", "HTTP_COMET_SLEEP", "10ms"}, usual},
		{"a shorter wait", longPath, []string{"COMET_TRIES", "2"}, usual / 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for range 2 { // The second request finds the location made.
				begin := time.Now()
				wantAnswer(t, ask(t, test.path, With(Get("subscribed[a]=now"), test.variables...), ""),
					http.StatusOK, `{"s":0,"at":{"a":"0.000000"}}`)
				if took := time.Since(begin); took < test.wait {
					t.Errorf("the poll waited for %v, want %v", took, test.wait)
				}
			}
		})
	}
}

// No request may bypass a restriction that cannot be read.
func TestInForce_RefusesEveryRequestOfAnInvalidLocation(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"COMET_TRYS": "5", "COMET_TRIES": "many", "COMET_SLEEP": "0",
		// These are settings of the process.
		"COMET_FILE_DIRECTORY": "/tmp", "COMET_LISTEN": "127.0.0.1:9000", "COMET_CONFIG": "/etc/passwd",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			p, path := startServer(t, directory, longPoll, "COMET_LOG=error")
			for _, query := range []string{"publish=a", "subscribed[a]=now", ""} {
				r := ask(t, path, With(Get(query), name, value), "")
				if r.Status != http.StatusInternalServerError || !strings.HasPrefix(r.Body, `{"error":"`) {
					t.Errorf("%q: HTTP %d %s, want 500", query, r.Status, r.Body)
				}
			}
			if exists(filepath.Join(directory, "a.comet")) {
				t.Error("the event was published")
			}
			p.wantMessage("level=ERROR", name, "/comet.php")
		})
	}
}
