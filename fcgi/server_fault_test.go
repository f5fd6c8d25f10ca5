package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"novcomet/core/servertest"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

func TestServer_PublishesAtOnceWhileThousandsOfPollsWait(t *testing.T) {
	const each = 1000
	needOpenFiles(t, 4*each+200)
	s, path := startInProcess(t, t.TempDir(), "COMET_MAX_WAITING=5000")
	form := "subscribed[news]=0.0&subscribed[x]=0.0"
	posts := connectMany(t, path, each, Request(1, 0, Post(len(form)), form))
	kept := connectMany(t, path, each, Request(1, Keep, Get("subscribed[news]=0.0"), ""))
	servertest.WaitFor(t, "all polls wait", func() bool { return s.waiting() == 2*each })

	publish := func(id string) {
		t.Helper()
		const limit = 10 * time.Second // on a busy machine
		begin := time.Now()
		wantPublished(t, path, id)
		if took := time.Since(begin); took > limit {
			t.Errorf("the publication of %s took %v", id, took)
		}
	}
	for range 20 {
		publish("other")
	}
	if n := s.waiting(); n != 2*each {
		t.Fatalf("%d polls wait after publications of another event, want %d", n, 2*each)
	}
	publish("news")
	for _, w := range posts.all {
		w.WantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"news":`)
		w.WantClosed(t)
	}
	for _, w := range kept.all {
		w.WantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"news":`)
		w.Send(t, Request(2, Keep, Get("subscribed[again]=0.0"), ""))
	}
	servertest.WaitFor(t, "polls wait on the kept connections", func() bool { return s.waiting() == each })
	wantPublished(t, path, "again")
	for _, w := range kept.all {
		w.WantResponse(t, 2, http.StatusOK, `{"s":1,"k":{"again":`)
	}
	posts.close()
	kept.close()
	servertest.WaitFor(t, "all connections are closed", func() bool { return s.reactor.Connections() == 0 })
}

// By itself, comet-fcgi accepts no more connections than it may open files. So the test lowers the limit
// while it runs.
func TestServer_GoesOnAfterTooManyOpenFiles(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	p, path := startServer(t, directory, "COMET_REQUEST_TIMEOUT=10m", "COMET_TRIES=400", "COMET_SLEEP=100ms")
	waiting := connect(t, path)
	waiting.Send(t, Request(1, Keep, Get("subscribed[a]=0.0"), ""))
	wantPublished(t, path, "b")
	limit := &unix.Rlimit{Cur: fewFiles, Max: 1024}
	if err := unix.Prlimit(p.Process.Pid, unix.RLIMIT_NOFILE, limit, nil); err != nil {
		t.Fatal(err)
	}
	idle := connectMany(t, path, 2*fewFiles)
	const failure = "accept failed"
	p.waitUntilLogged(failure)
	const duration = 2 * time.Second // so that pauses that do not become longer are noticed
	begin := time.Now()
	time.Sleep(duration)
	touch(t, filepath.Join(directory, "a.comet"))
	late := connect(t, path)
	late.Send(t, Request(1, 0, Get("subscribed[a]=0.0"), ""))
	idle.close()
	took := time.Since(begin)
	late.WantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	waiting.WantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	wantPublished(t, path, "c")
	p.terminate()
	if n := strings.Count(p.stderr.String(), failure); n > 2 { // once, and the number of further failures at the end
		t.Errorf("%q was logged %d times, want 2 at most: %s", failure, n, p.stderr)
	}
	// The pauses double from 5 ms to a second. They begin anew if a descriptor was free for a moment. With
	// pauses of 5 ms, there would be hundreds of failures.
	const most = 60
	further := regexp.MustCompile(failure + `.* times=(\d+) `).FindStringSubmatch(p.stderr.String())
	if further == nil {
		t.Fatalf("the log has no number of failures: %s", p.stderr)
	}
	if n, _ := strconv.Atoi(further[1]); n > most {
		t.Errorf("accept failed %d times within %v, want %d at most", n, took, most)
	}
}

// publishLarge publishes an event with this much data by URL.
func publishLarge(t *testing.T, path, id string, size int) {
	t.Helper()
	wantAnswer(t, ask(t, path, Put(id, size), strings.Repeat("x", size)), http.StatusOK, "true")
}

// readBytewise reads one byte each second, until the connection is closed.
func readBytewise(w io.Reader, read *atomic.Int64) {
	for b := make([]byte, 1); ; time.Sleep(time.Second) {
		if _, err := w.Read(b); err != nil {
			return
		}
		read.Add(1)
	}
}

func TestServer_ServesThousandsWhileAReaderIsSlow(t *testing.T) {
	const size, n, timeout = 1 << 20, 4000, 4 * time.Second
	needOpenFiles(t, 2*n+200)
	s, path := startInProcess(t, t.TempDir(), "COMET_REQUEST_TIMEOUT="+timeout.String(),
		fmt.Sprint("COMET_DATA_MAX_BYTES=", size))
	publishLarge(t, path, "large", size)
	polls := connectMany(t, path, n, Request(1, Keep, Get("subscribed[news]=now"), ""))
	servertest.WaitFor(t, "all polls wait", func() bool { return s.waiting() == n })
	slow := connect(t, path)
	begin := time.Now()
	slow.Send(t, Request(1, Keep, Get("subscribed[large]=0.0&data=1"), ""))
	var read atomic.Int64
	var reading sync.WaitGroup
	reading.Go(func() { readBytewise(slow, &read) })
	defer reading.Wait()
	defer slow.Close()
	servertest.WaitFor(t, "the slow one reads", func() bool { return read.Load() > 1 })

	const limit = 10 * time.Second // on a busy machine
	published := time.Now()
	wantPublished(t, path, "news")
	for _, w := range polls.all {
		w.WantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"news":`)
	}
	if took := time.Since(published); took > limit {
		t.Errorf("%d polls were answered after %v", n, took)
	}
	if open := s.reactor.Connections(); open != n+1 && time.Since(begin) < timeout {
		t.Errorf("%d connections are open, want those of the polls and the slow one", open)
	}
	servertest.WaitFor(t, "the slow one is closed", func() bool { return s.reactor.Connections() == n })
	if took := time.Since(begin); took < timeout {
		t.Errorf("the slow one was closed after %v, want %v", took, timeout)
	}
}

// One answer is larger than the buffers of a socket, and there is room for four.
func TestServer_ServesOthersWhileManyReadNothing(t *testing.T) {
	t.Parallel()
	const slow, size = 20, 1 << 20
	s, path := startInProcess(t, t.TempDir(), "COMET_MAX_SERVING=2", "COMET_REQUEST_TIMEOUT=2s",
		fmt.Sprint("COMET_MAX_BUFFERED=", 4*size), fmt.Sprint("COMET_DATA_MAX_BYTES=", size))
	publishLarge(t, path, "large", size)
	servertest.WaitFor(t, "the publication is older than a poll", func() bool {
		r := ask(t, path, Get("subscribed[large]=now&wait=0"), "")
		return strings.HasPrefix(r.Body, `{"s":0`)
	})
	sendAll := func(n int, query string) *webServers {
		requests := make([][]byte, n)
		for i := range requests { // Each id has an answer of its own.
			requests[i] = Request(uint16(1+i), 0, Get(query), "")
		}
		return connectMany(t, path, n, requests...)
	}
	now := sendAll(10, "subscribed[large]=now&data=1") // They read.
	servertest.WaitFor(t, "polls wait", func() bool { return s.waiting() == len(now.all) })
	sendAll(slow, "subscribed[large]=0.0&data=1")
	polls := sendAll(50, "subscribed[news]=0.0")
	var answered []chan error
	var whole atomic.Int64
	for i, w := range now.all {
		answered = append(answered, make(chan error, 1))
		go func() {
			r, err := w.Response(uint16(1 + i))
			switch part := strings.Contains(r.Body, `{"s":1,"k":{"large":`); {
			case err == nil && part:
				whole.Add(1)
			case err == nil:
				err = fmt.Errorf("HTTP %d %.100q", r.Status, r.Body)
			case part: // While others wait for room, an answer that is not read is soon cut off.
				t.Logf("the machine is too slow to read an answer: %v", err)
				err = nil
			}
			answered[i] <- err
		}()
	}
	publishLarge(t, path, "large", size)
	wantPublished(t, path, "news")
	for i, w := range polls.all {
		w.WantResponse(t, uint16(1+i), http.StatusOK, `{"s":1,"k":{"news":`)
	}
	if s.reactor.Connections() == 0 {
		t.Log("the machine is too slow to show that others are served meanwhile")
	}
	for i := range now.all { // A result that there was no room for is not lost.
		if err := <-answered[i]; err != nil {
			t.Error(err)
		}
	}
	if whole.Load() == 0 {
		t.Error("each answer was cut off")
	}
	servertest.WaitFor(t, "those that read nothing are closed", func() bool { return s.reactor.Connections() == 0 })
}

// A connection can be over before its first byte is read.
func TestServer_ForgetsConnectionsThatCloseAtOnce(t *testing.T) {
	const n = 3000
	directory := t.TempDir()
	s, path := startInProcess(t, directory)
	tcp := s.listenOn(t, "tcp", "127.0.0.1:0").Addr().String()
	poll := Request(1, 0, Get("subscribed[a]=now"), "")
	publication := Request(1, 0, Get("publish=b"), "")
	closeAll := func() {
		for i := range n {
			address := path
			if i%2 == 1 {
				address = tcp
			}
			conn, err := dial(address)
			if err != nil {
				t.Fatal(err)
			}
			if tcp, ok := conn.(*net.TCPConn); ok && i%4 == 1 {
				_ = tcp.SetLinger(0) // Close sends a reset.
			}
			if sent := [][]byte{nil, poll, poll[:20], publication}[i/4%4]; sent != nil {
				_, _ = conn.Write(sent)
			}
			conn.Close()
		}
		servertest.WaitFor(t, "all connections are forgotten", func() bool {
			return s.reactor.Connections()+s.reactor.Serving()+s.waiting() == 0
		})
	}
	closeAll()
	before := measureFootprint()
	closeAll()
	before.wantAgain(t)
	wantPublished(t, path, "a")
	wantPublished(t, tcp, "a")
}

// A small answer must not wait for an acknowledgement. A web server whose machine has gone must be noticed.
func TestServer_SetsTheOptionsOfTCP(t *testing.T) {
	s, _ := startInProcess(t, t.TempDir())
	address := s.listenOn(t, "tcp", "127.0.0.1:0").Addr().String()
	wantPublished(t, address, "a")
	w := connect(t, address)
	w.Send(t, Request(1, Keep, Get("publish=a"), ""))
	w.WantResponse(t, 1, http.StatusOK, "true")
	accepted := fileOfPeer(t, w.ReadWriteCloser.(net.Conn).LocalAddr().(*net.TCPAddr).Port)
	for name, o := range map[string]struct{ level, option, want int }{
		"TCP_NODELAY":   {unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		"SO_KEEPALIVE":  {unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		"TCP_KEEPIDLE":  {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15},
		"TCP_KEEPINTVL": {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
	} {
		if value, err := unix.GetsockoptInt(accepted, o.level, o.option); err != nil || value != o.want {
			t.Errorf("%s: %d, want %d; %v", name, value, o.want, err)
		}
	}
	if flags, err := unix.FcntlInt(uintptr(accepted), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("other programs inherit the connection: %v", err)
	}
}

// fileOfPeer returns the descriptor of this process that is connected to a TCP port.
func fileOfPeer(t *testing.T, port int) int {
	t.Helper()
	for _, fd := range openFiles() {
		peer, err := unix.Getpeername(fd)
		if to, ok := peer.(*unix.SockaddrInet4); err == nil && ok && to.Port == port {
			return fd
		}
	}
	t.Fatalf("no connection to port %d", port)
	return -1
}
