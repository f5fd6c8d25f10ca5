package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"novcomet/core/event"
	"novcomet/core/servertest"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

func TestServe_RefusesInvalidSettings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, yaml string
		env        []string
		want       []string
	}{
		{"a value", "tries: none\n", nil, []string{"comet.yaml", "tries", `"none"`, "give a whole number"}},
		{"a missing directory", "log: info\n", []string{"COMET_FILE_DIRECTORY=/nonexistent"},
			[]string{"file.directory", "/nonexistent", "no such file"}},
		{"a file as directory", "log: info\n", []string{"COMET_FILE_DIRECTORY=/etc/passwd"},
			[]string{"file.directory", "/etc/passwd", "not a directory"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			socket, path := listeningSocket(t)
			file := writeFile(t, filepath.Join(filepath.Dir(path), "comet.yaml"), test.yaml)
			env := append([]string{"COMET_TRIES=", "COMET_SLEEP="}, test.env...)
			p := start(t, t.TempDir(), startOptions{args: []string{"--config", file}, env: env, stdin: socket})
			p.wantExit(1)
			wantLine(t, p.stderr.String(), test.want...)
		})
	}
}

func TestServe_ChecksPeriodicallyWithoutInotify(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can become a user whose instances no other program needs")
	}
	directory := servertest.OpenDirectory(t)
	socket, path := listeningSocket(t)
	p := start(t, directory, startOptions{
		role: roleNoInotify, stdin: socket, env: []string{"COMET_LOG=warn", "COMET_TRIES=400", "COMET_SLEEP=100ms"},
	})
	for _, id := range []string{"a", "b", "c"} {
		polls := connectMany(t, path, 10)
		for _, w := range polls.all {
			w.Send(t, Request(1, 0, Get("subscribed["+id+"]=0.0"), ""))
		}
		wantWaiting(t, path, 10)
		touch(t, filepath.Join(directory, id+".comet"))
		for _, w := range polls.all {
			w.WantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"`+id+`":`)
		}
	}
	wantPublished(t, path, "d")
	p.wantMessage("level=WARN", "inotify", "fs.inotify.max_user_instances")
}

func TestServe_StartsWithoutTheServerOfItsStore(t *testing.T) {
	t.Parallel()
	for _, env := range [][]string{
		{"COMET_STORE=memcached", "COMET_MEMCACHED_SERVERS=127.0.0.1:1", patientStore},
		{"COMET_STORE=redis", "COMET_REDIS_ADDRESSES=127.0.0.1:1", patientStore},
	} {
		p, path := startServer(t, t.TempDir(), env...)
		wantAnswer(t, ask(t, path, Get("publish=a"), ""), http.StatusServiceUnavailable, "false")
		wantAnswer(t, ask(t, path, Get("subscribed[a]=now"), ""), http.StatusOK, `{"s":0,"at":{"a":"now"}}`)
		p.waitUntilLogged("store check failed")
		wantText(t, p.stderr.String(), "127.0.0.1:1")
	}
}

func TestServe_AnswersWaitingPollsOnSIGTERM(t *testing.T) {
	t.Parallel()
	p, path := startServer(t, t.TempDir(), longPoll)
	now, form := time.Now().Unix(), "subscribed[a]=now"
	legacy := fmt.Sprintf("&subscribed[a]=%d&subscribed[b]=%d&%d", now, now+1, now*1000)
	polls := []struct {
		variables  map[string]string
		body, want string
	}{
		{Get(legacy), "", `{"s":0}`},
		{Get("subscribed[a]=0&subscribed[b]="), "", `{"s":0}`},
		{Get("subscribed[a]=now"), "", `{"s":0,"at":{"a":"0.000000"}}`},
		{Post(len(form)), form, `{"s":0,"at":{"a":"0.000000"}}`},
	}
	var waiting []*WebServer
	for _, poll := range polls {
		w := connect(t, path)
		w.Send(t, Request(1, 0, poll.variables, poll.body))
		waiting = append(waiting, w)
	}
	kept := connect(t, path)
	kept.Send(t, Request(1, Keep, Get("publish=kept"), ""))
	kept.WantResponse(t, 1, http.StatusOK, "true")
	// The server has accepted all connections when it answers this one, and it reads what it has accepted.
	wantPublished(t, path, "other")

	p.terminate()
	kept.WantClosed(t)
	for i, poll := range polls {
		waiting[i].WantResponse(t, 1, http.StatusOK, poll.want)
		waiting[i].WantClosed(t)
	}
	if log := p.stderr.String(); strings.Contains(log, "ERROR") {
		t.Errorf("an error was logged: %s", log)
	}
}

func TestServe_EndsInTime(t *testing.T) {
	t.Parallel()
	run := func(name string, limit time.Duration, before func(t *testing.T, path string, socket *os.File)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			socket, path := listeningSocket(t)
			p := start(t, t.TempDir(), startOptions{stdin: socket, env: []string{longPoll}})
			wantPublished(t, path, "a")
			before(t, path, socket)
			if took := p.terminate(); took > limit {
				t.Errorf("the program ended after %v, want %v at most", took, limit)
			}
		})
	}
	const cutOff = 4500 * time.Millisecond
	run("with idle connections", cutOff-time.Second, func(t *testing.T, path string, _ *os.File) {
		for range 20 {
			w := connect(t, path)
			w.Send(t, Request(1, Keep, Get("publish=kept"), ""))
			w.WantResponse(t, 1, http.StatusOK, "true")
		}
	})
	run("with an incomplete request", cutOff+overhead, func(t *testing.T, path string, _ *os.File) {
		w := connect(t, path)
		w.Send(t, Request(1, Keep, Get("publish=never"), "")[:50])
		wantPublished(t, path, "other")
	})
	// Another process that shares the socket may make it blocking. Then accept cannot be interrupted.
	run("with a blocking socket", cutOff+overhead, func(t *testing.T, path string, socket *os.File) {
		if err := unix.SetNonblock(int(socket.Fd()), false); err != nil {
			t.Fatal(err)
		}
		wantPublished(t, path, "a")
	})
	t.Run("on SIGINT from a terminal", func(t *testing.T) {
		t.Parallel()
		p, path := startServer(t, t.TempDir(), longPoll)
		wantPublished(t, path, "a")
		if err := p.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		p.wantExit(0)
	})
}

func TestServe_SharesItsSocketWithOtherProcesses(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	socket, path := listeningSocket(t)
	options := startOptions{stdin: socket, env: []string{longPoll}}
	wantAllAnswered := func(polls *webServers) {
		t.Helper()
		for _, w := range polls.all {
			w.WantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
		}
	}
	sendAll := func(n int) *webServers {
		polls := connectMany(t, path, n)
		for _, w := range polls.all {
			w.Send(t, Request(1, 0, Get("subscribed[a]=0.0"), ""))
		}
		return polls
	}
	var programs []*program
	for range 3 {
		programs = append(programs, start(t, directory, options))
	}
	polls := sendAll(30)
	wantPublished(t, path, "a")
	wantAllAnswered(polls)
	for i, p := range programs {
		p.waitUntilReady()
		p.terminate()
		if i < len(programs)-1 {
			wantPublished(t, path, "a")
		}
	}
	polls = sendAll(50) // Now no process runs. The connections wait in the backlog of the socket.
	start(t, directory, options)
	wantAllAnswered(polls)
}

// O_NONBLOCK belongs to the socket, not to a process.
func TestServe_SharesASocketThatAnotherProcessMakesBlocking(t *testing.T) {
	t.Parallel()
	socket, path := listeningSocket(t)
	// The answers show which process has answered.
	const first, second = http.StatusOK, http.StatusForbidden
	startOne := func(allow string) *program {
		p := start(t, t.TempDir(), startOptions{stdin: socket, env: []string{longPoll, "COMET_PUBLISH_ALLOW=" + allow}})
		p.waitUntilReady()
		return p
	}
	one, other := startOne("*"), startOne("none")
	if err := unix.SetNonblock(int(socket.Fd()), false); err != nil {
		t.Fatal(err)
	}
	wantFrom := func(statuses ...int) {
		t.Helper()
		missing := map[int]bool{}
		for _, status := range statuses {
			missing[status] = true
		}
		servertest.WaitFor(t, fmt.Sprintf("answers %v", statuses), func() bool {
			delete(missing, ask(t, path, Get("publish=a"), "").Status)
			return len(missing) == 0
		})
	}
	wantFrom(first, second)
	polls := connectMany(t, path, 20)
	for _, w := range polls.all {
		w.Send(t, Request(1, 0, Get("subscribed[a]=now"), ""))
	}
	wantFrom(first, second) // They have accepted the polls, too.
	one.terminate()
	wantFrom(second)
	other.terminate()
	for _, w := range polls.all {
		w.WantResponse(t, 1, http.StatusOK, `{"s":`)
		w.WantClosed(t)
	}
}

// All programs of a machine write to /dev/shm. If the kernel's queue of notifications is full, the kernel
// drops some.
func TestServe_FindsAPublicationAmongManyWritesOfOtherPrograms(t *testing.T) {
	const writes, rounds = 100_000, 10
	directory := t.TempDir()
	s, path := startInProcess(t, directory, "COMET_MAX_SERVING=1", "COMET_SLEEP=1h") // so that only notifications help
	var files []*os.File
	for _, name := range []string{"foreign.tmp", ".news.comet", "news.comet.swp", "unused.comet"} {
		file, err := os.Create(filepath.Join(directory, name))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		files = append(files, file)
	}
	writeOften := func() {
		for i := range writes / rounds / 2 {
			if _, err := files[i%len(files)].WriteAt([]byte("x"), 0); err != nil {
				t.Error(err)
				return
			}
		}
	}
	news := filepath.Join(directory, "news.comet")
	round := func() {
		w := connectMany(t, path, 1)
		defer w.close()
		cursor := event.Stamp(0) // With now, a publication shortly before the poll would count as new.
		if info, err := os.Stat(news); err == nil {
			cursor = event.StampOf(info.ModTime())
		}
		w.all[0].Send(t, Request(1, 0, Get("subscribed[news]="+cursor.String()), ""))
		servertest.WaitFor(t, "the poll waits", func() bool { return s.waiting() == 1 })
		writeOften()
		touch(t, news)
		writeOften()
		w.all[0].WantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"news":`)
	}
	closed := func() bool { return s.reactor.Connections() == 0 }
	round()
	servertest.WaitFor(t, "the connection is closed", closed)
	before := measureFootprint()
	for range rounds {
		round()
	}
	servertest.WaitFor(t, "all connections are closed", closed)
	before.wantAgain(t)
}

func TestServe_ReportsEachStateToSystemd(t *testing.T) {
	t.Parallel()
	listening, path := listeningSocket(t)
	directory := filepath.Dir(path)
	address := filepath.Join(directory, "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	receive := func(want string) {
		t.Helper()
		message := make([]byte, 512)
		systemd.SetReadDeadline(time.Now().Add(servertest.Patience))
		n, err := systemd.Read(message)
		if err != nil || !regexp.MustCompile("^"+want+"$").Match(message[:n]) {
			t.Fatalf("systemd received %q, %v; want %q", message[:n], err, want)
		}
	}
	yaml := writeFile(t, filepath.Join(directory, "comet.yaml"), "log: info\n")
	p := start(t, directory, startOptions{
		args: []string{"--config", yaml}, env: []string{"NOTIFY_SOCKET=" + address}, stdin: listening,
	})
	receive("READY=1")
	for _, text := range []string{"log: info\n", "invalid: true\n"} {
		writeFile(t, yaml, text)
		if err := p.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		receive("MONOTONIC_USEC=[0-9]+\nRELOADING=1")
		receive("READY=1")
	}
	p.terminate()
	receive("STOPPING=1")
}
