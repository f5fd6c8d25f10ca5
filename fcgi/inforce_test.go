package main

import (
	"net/http"
	"path/filepath"
	"testing"
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
