package main

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

func TestAnnounce_WarnsOfAWaitThatIsTooLongForWebServers(t *testing.T) {
	t.Parallel()
	p, path := startServer(t, t.TempDir(), "COMET_TRIES=60", "COMET_SLEEP=1")
	wantPublished(t, path, "a")
	p.wantMessage("level=WARN", "fastcgi_read_timeout")
}

func TestMaxConnections_LeavesOpenFilesForTheStore(t *testing.T) {
	t.Parallel()
	socket, path := listeningSocket(t)
	directory := t.TempDir()
	p := start(t, directory, startOptions{
		role: roleFewFiles, stdin: socket, env: []string{"COMET_REQUEST_TIMEOUT=10m", longPoll},
	})
	poll := connect(t, path)
	poll.send(t, requestRecords(1, 0, get("subscribed[a]=0.0"), ""))
	idle := connectMany(t, path, 2*fewFiles)
	touch(t, filepath.Join(directory, "a.comet"))
	poll.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	idle.close()
	wantPublished(t, path, "a")
	p.terminate()
}

func TestInForce_UsesTheWaitOfTheLocation(t *testing.T) {
	for _, test := range []struct {
		name      string
		variables []string
		wait      time.Duration
	}{
		{"without variables", nil, 10 * time.Second},
		{"tries", []string{"COMET_TRIES", "3"}, 3 * time.Second},
		{"tries and sleep", []string{"COMET_TRIES", "4", "COMET_SLEEP", "250ms"}, time.Second},
		{"an empty variable", []string{"COMET_TRIES", ""}, 10 * time.Second},
		{"request headers", []string{"HTTP_COMET_TRIES", "1", "HTTP_COMET_SLEEP", "10ms"}, 10 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *bubbleServer) {
				w := s.connect()
				begin := time.Now()
				w.send(t, requestRecords(1, 0, with(get("subscribed[a]=now"), test.variables...), ""))
				w.wantResponse(t, 1, http.StatusOK, `{"s":0,"at":{"a":"0.000000"}}`)
				if took := time.Since(begin); took != test.wait {
					t.Errorf("the poll waited for %v, want %v", took, test.wait)
				}
				s.end()
			})
		})
	}
}

// No request may bypass a restriction that cannot be read.
func TestInForce_RefusesEveryRequestOfAnInvalidLocation(t *testing.T) {
	for name, value := range map[string]string{
		"COMET_TRYS": "5", "COMET_TRIES": "many", "COMET_SLEEP": "0",
		// These are settings of the process.
		"COMET_FILE_DIRECTORY": "/tmp", "COMET_LISTEN": "127.0.0.1:9000", "COMET_CONFIG": "/etc/passwd",
	} {
		for _, query := range []string{"publish=a", "subscribed[a]=now", ""} {
			inBubble(t, func(t *testing.T, s *bubbleServer) {
				s.store.publish = func() { t.Error("the event was published") }
				w := s.connect()
				begin := time.Now()
				w.send(t, requestRecords(1, 0, with(get(query), name, value), ""))
				w.wantResponse(t, 1, http.StatusInternalServerError, `{"error":"`)
				s.end()
				if took := time.Since(begin); took != 0 {
					t.Errorf("%s: the answer came after %v", name, took)
				}
				wantLine(t, s.log.String(), "level=ERROR", name, "/comet.php")
			})
		}
	}
}
