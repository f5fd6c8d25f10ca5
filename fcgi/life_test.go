package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// long makes polls wait far longer than any test.
const long = "COMET_TRIES=100000"

func TestSIGTERMAnswersWhoeverWaitsAndEnds(t *testing.T) {
	t.Parallel()
	p, path := served(t, t.TempDir(), long)
	form := "subscribed[a]=now"
	polls := []struct {
		variables  map[string]string
		body, want string
	}{
		{asked(fmt.Sprintf("&subscribed[a]=%d&subscribed[b]=%d&%d", time.Now().Unix(), time.Now().Unix()+1, time.Now().UnixMilli())), "", `{"s":0}`},
		{asked("subscribed[a]=0&subscribed[b]="), "", `{"s":0}`},
		{asked("subscribed[a]=now"), "", `{"s":0,"at":{"a":"0.000000"}}`},
		{posted(len(form)), form, `{"s":0,"at":{"a":"0.000000"}}`},
	}
	var waiting []*webServer
	for _, poll := range polls {
		w := connect(t, path)
		w.send(t, sentRequest(1, 0, poll.variables, poll.body))
		waiting = append(waiting, w)
	}
	kept := connect(t, path)
	kept.send(t, sentRequest(1, keep, asked("publish=kept"), ""))
	kept.wantResponse(t, 1, http.StatusOK, "true")
	// All were accepted before this one is answered, and what has been accepted is read.
	wantAnswer(t, ask(t, path, asked("publish=other"), ""), http.StatusOK, "true")

	if took := p.terminate(); took >= 5*time.Second {
		t.Errorf("it took %v to end", took)
	}
	kept.wantEnd(t)
	for i, poll := range polls {
		waiting[i].wantResponse(t, 1, http.StatusOK, poll.want)
		waiting[i].wantEnd(t)
	}
	if s := p.stderr.String(); strings.Contains(s, "ERROR") {
		t.Errorf("it said: %s", s)
	}
}

func TestIdleConnectionsDoNotDelayTheEnd(t *testing.T) {
	t.Parallel()
	p, path := served(t, t.TempDir(), long)
	for range 20 {
		w := connect(t, path)
		w.send(t, sentRequest(1, keep, asked("publish=kept"), ""))
		w.wantResponse(t, 1, http.StatusOK, "true")
	}
	if took := p.terminate(); took > 3*time.Second { // With a hold it would be 4.5 s.
		t.Errorf("it took %v to end", took)
	}
}

func TestAnUnfinishedRequestDoesNotKeepItFromEnding(t *testing.T) {
	t.Parallel()
	p, path := served(t, t.TempDir(), long)
	w := connect(t, path)
	w.send(t, sentRequest(1, keep, asked("publish=never"), "")[:50])
	wantAnswer(t, ask(t, path, asked("publish=other"), ""), http.StatusOK, "true")
	if took := p.terminate(); took >= 5500*time.Millisecond {
		t.Errorf("it took %v to end", took)
	}
	w.wantEnd(t)
}

// Another process that shares the socket may make it a blocking one: nothing can interrupt an accept then.
func TestABlockingSocketDoesNotKeepItFromEnding(t *testing.T) {
	t.Parallel()
	socket, path := boundSocket(t)
	p := start(t, t.TempDir(), arrangement{stdin: socket})
	wantAnswer(t, ask(t, path, asked("publish=a"), ""), http.StatusOK, "true")
	if err := unix.SetNonblock(int(socket.Fd()), false); err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, ask(t, path, asked("publish=a"), ""), http.StatusOK, "true")
	if took := p.terminate(); took >= 5500*time.Millisecond {
		t.Errorf("it took %v to end", took)
	}
}

// The next process takes over what waits in the backlog.
func TestNobodyIsLostBetweenTwoProcessesOnOneSocket(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	socket, path := boundSocket(t)
	first := start(t, directory, arrangement{stdin: socket, env: []string{long}})
	wantAnswer(t, ask(t, path, asked("publish=a"), ""), http.StatusOK, "true")
	first.terminate()
	var waiting []*webServer
	for range 50 {
		w := connect(t, path)
		w.send(t, sentRequest(1, 0, asked("subscribed[a]=1&1763800000000"), ""))
		waiting = append(waiting, w)
	}
	start(t, directory, arrangement{stdin: socket, env: []string{long}})
	for _, w := range waiting {
		w.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	}
}

func TestSeveralProcessesServeOneSocket(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	socket, path := boundSocket(t)
	var programs []*program
	for range 3 {
		programs = append(programs, start(t, directory, arrangement{stdin: socket, env: []string{long}}))
	}
	var waiting []*webServer
	for range 30 {
		w := connect(t, path)
		w.send(t, sentRequest(1, 0, asked("subscribed[a]=0.0"), ""))
		waiting = append(waiting, w)
	}
	wantAnswer(t, ask(t, path, asked("publish=a"), ""), http.StatusOK, "true")
	for _, w := range waiting {
		w.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	}
	for i, p := range programs {
		// The others may have answered everybody before this one was there.
		eventually(t, "it is ready", func() bool { return strings.Contains(p.stderr.String(), "msg=ready") })
		p.terminate()
		if i < len(programs)-1 {
			wantAnswer(t, ask(t, path, asked("publish=a"), ""), http.StatusOK, "true")
		}
	}
}

// As many connections as files would leave none to look at the events with.
func TestWhenAllConnectionsAreTakenWhoeverWaitsIsStillTold(t *testing.T) {
	t.Parallel()
	socket, path := boundSocket(t)
	directory := t.TempDir()
	p := start(t, directory, arrangement{part: asCramped, stdin: socket, env: []string{"COMET_REQUEST_TIMEOUT=10m", long}})
	waiting := connect(t, path)
	waiting.send(t, sentRequest(1, 0, asked("subscribed[a]=0.0"), ""))
	var idle []*webServer
	for range 2 * crampedFiles {
		idle = append(idle, connect(t, path))
	}
	touchFile(t, filepath.Join(directory, "a.comet"))
	waiting.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	for _, w := range idle {
		w.Close()
	}
	wantAnswer(t, ask(t, path, asked("publish=a"), ""), http.StatusOK, "true")
	if took := p.terminate(); took >= 5*time.Second {
		t.Errorf("it took %v to end", took)
	}
}

// Whoever comes, and whoever waits, is served as soon as there is a file for it. (The limit is lowered while it runs, for
// by itself it takes no more connections than its limit allows.)
func TestTooManyOpenFilesDoNotEndTheService(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	socket, path := boundSocket(t)
	p := start(t, directory, arrangement{stdin: socket, env: []string{"COMET_REQUEST_TIMEOUT=10m", "COMET_TRIES=400", "COMET_SLEEP=100ms"}})
	waiting := connect(t, path)
	waiting.send(t, sentRequest(1, keep, asked("subscribed[a]=0.0"), ""))
	wantAnswer(t, ask(t, path, asked("publish=b"), ""), http.StatusOK, "true")
	if err := unix.Prlimit(p.Process.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: crampedFiles, Max: 1024}, nil); err != nil {
		t.Fatal(err)
	}
	idle := connectCrowd(t, path, 2*crampedFiles)
	const complaint = "accept failed"
	eventually(t, "accept has failed", func() bool { return strings.Contains(p.stderr.String(), complaint) })
	failing := time.Now()
	touchFile(t, filepath.Join(directory, "a.comet"))
	late := connect(t, path)
	late.send(t, sentRequest(1, 0, asked("subscribed[a]=0.0"), "")) // A publication would be false while no file is free.
	for time.Since(failing) < time.Second {                         // It fails all the while; a file becomes free, and is taken, now and then.
		<-time.After(100 * time.Millisecond)
		idle.of[0].Close()
		idle.of = idle.of[1:]
	}
	idle.leave()
	late.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	waiting.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	wantAnswer(t, ask(t, path, asked("publish=c"), ""), http.StatusOK, "true")
	if n := strings.Count(p.stderr.String(), complaint); n > 1 {
		t.Errorf("it complained %d times, want once: %s", n, p.stderr)
	}
	if took := p.terminate(); took >= 5*time.Second {
		t.Errorf("it took %v to end", took)
	}
}

func TestAPublicationFreesThePollsOfItsEventOnly(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	_, path := served(t, directory, long)
	news, other := connect(t, path), connect(t, path)
	news.send(t, sentRequest(1, 0, asked("subscribed[news]=0.0&subscribed[x]=0.0"), ""))
	other.send(t, sentRequest(1, 0, asked("subscribed[other]=0.0"), ""))
	touchFile(t, filepath.Join(directory, "news.comet"))
	news.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"news":`)
	write(t, filepath.Join(directory, "other.comet"), "written by another program")
	other.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"other":`)
}

// A service manager ends programs by SIGTERM, a terminal by SIGINT.
func TestSIGINTEndsItToo(t *testing.T) {
	t.Parallel()
	p, path := served(t, t.TempDir(), long)
	wantAnswer(t, ask(t, path, asked("publish=a"), ""), http.StatusOK, "true")
	if err := p.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if status := p.status(); status != 0 {
		t.Errorf("status %d, want 0", status)
	}
}
