package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"novcomet/core/servertest"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// crowd is many clients of one event, in a process of its own: one process may not open the files of both
// ends. As nginx does, it makes a connection for each poll. A client for which the backlog of the socket is
// full asks again at the end of the round.
type crowd struct {
	*program
	commands io.Writer
	rounds   int
}

// startCrowd starts n clients, which poll at once.
func startCrowd(t testing.TB, path string, n int) *crowd {
	t.Helper()
	stdin, commands, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	t.Cleanup(func() { commands.Close() })
	options := startOptions{role: roleCrowd, args: []string{path, strconv.Itoa(n)}, stdin: stdin}
	c := &crowd{program: start(t, "", options), commands: commands}
	c.await(0)
	return c
}

// A crowd asks again in one of two ways.
const (
	eachAtOnce = "each at once" // each client when it has its answer, while others still get theirs
	together   = "all together" // when all clients have their answers
)

// noCursor is a cursor of the future.
const noCursor = "9"

// begin lets each client whose cursor is before this one get an answer and ask again.
func (c *crowd) begin(before, how string) (await func() crowdReport) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.commands, "%s %s\n", before, how); err != nil {
		c.t.Fatal(err)
	}
	c.rounds++
	n := c.rounds
	return func() crowdReport { return c.await(n) }
}

// crowdReport is what became of one round.
type crowdReport struct {
	full, lost    int    // connections for which the backlog had no room; requests without an answer
	first, last   string // the oldest and the newest cursor
	asking, total time.Duration
}

func (c *crowd) await(round int) (r crowdReport) {
	c.t.Helper()
	var lines []string
	servertest.WaitFor(c.t, "the crowd has its answers", func() bool {
		lines = strings.SplitAfter(c.stdout.String(), "\n")
		return len(lines) > round+1
	})
	_, err := fmt.Sscan(lines[round], &r.full, &r.lost, &r.first, &r.last, &r.asking, &r.total)
	if err != nil {
		c.t.Fatalf("%q: %v; %s", lines[round], err, c.stderr)
	}
	return r
}

// crowdMain is the process of a crowd. It reads commands from stdin, and reports each round on stdout.
func crowdMain() {
	n, _ := strconv.Atoi(os.Args[2])
	clients := make([]crowdClient, n)
	round := func(before, how string) (r crowdReport) {
		begin, asked := time.Now(), time.Now()
		var late, refused []*crowdClient
		ask := func(c *crowdClient) {
			if !c.ask(os.Args[1]) {
				refused = append(refused, c)
			}
		}
		for i := range clients {
			c := &clients[i]
			switch {
			case c.cursor >= before:
				continue
			case c.cursor != "" && !c.receive():
				r.lost++
			}
			if how == together {
				late = append(late, c)
			} else {
				ask(c)
			}
		}
		if how == together {
			asked = time.Now()
		}
		for _, c := range late {
			ask(c)
		}
		r.full = len(refused)
		for _, c := range refused {
			for !c.ask(os.Args[1]) {
				time.Sleep(time.Millisecond)
			}
		}
		r.asking, r.total = time.Since(asked), time.Since(begin)
		r.first, r.last = clients[0].cursor, clients[0].cursor
		for _, c := range clients {
			r.first, r.last = min(r.first, c.cursor), max(r.last, c.cursor)
		}
		return r
	}
	report := func(r crowdReport) { fmt.Println(r.full, r.lost, r.first, r.last, int64(r.asking), int64(r.total)) }
	report(round(noCursor, eachAtOnce))
	for commands := bufio.NewScanner(os.Stdin); commands.Scan(); {
		before, how, _ := strings.Cut(commands.Text(), " ")
		report(round(before, how))
	}
}

type crowdClient struct {
	fd     int
	cursor string
}

var crowdPolls = map[string][]byte{} // by their cursor, because there is no time to make each anew

// ask polls on a new connection. It fails if the backlog is full.
func (c *crowdClient) ask(path string) bool {
	if c.cursor == "" {
		c.cursor = "0.000000"
	}
	poll := crowdPolls[c.cursor]
	if poll == nil {
		poll = Request(1, 0, Get("subscribed[a]="+c.cursor), "")
		crowdPolls[c.cursor] = poll
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	}
	if errors.Is(err, unix.EAGAIN) {
		unix.Close(fd)
		return false
	}
	if err == nil {
		_, err = unix.Write(fd, poll)
	}
	if err != nil {
		panic(err)
	}
	c.fd = fd
	return true
}

// receive awaits the answer, and closes the connection. It fails if the connection ends without an answer.
func (c *crowdClient) receive() bool {
	defer unix.Close(c.fd)
	var answer []byte
	for end := []byte{1, 3, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}; !bytes.HasSuffix(answer, end); {
		b := make([]byte, 1<<10)
		switch n, err := unix.Read(c.fd, b); {
		case n > 0:
			answer = append(answer, b[:n]...)
		case errors.Is(err, unix.EAGAIN):
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}, -1)
		case !errors.Is(err, unix.EINTR):
			return false
		}
	}
	_, cursor, _ := strings.Cut(string(answer), `"at":{"a":"`)
	cursor, _, found := strings.Cut(cursor, `"`)
	if found {
		c.cursor = cursor
	}
	return found
}

// cursorOf returns the present cursor of the event of a crowd.
func cursorOf(t testing.TB, path string) string {
	t.Helper()
	_, cursor, _ := strings.Cut(ask(t, path, Get("subscribed[a]=0.000000&wait=0"), "").Body, `"at":{"a":"`)
	cursor, _, _ = strings.Cut(cursor, `"`)
	return cursor
}

// awaitAll lets the clients poll until all have this cursor.
func (c *crowd) awaitAll(r crowdReport, cursor string) {
	c.t.Helper()
	lost := r.lost
	for ; r.first < cursor; lost += r.lost {
		r = c.begin(cursor, together)()
	}
	if r.first != cursor || r.last != cursor || lost > 0 {
		c.t.Errorf("the clients have cursors from %s to %s, want %s; %d requests were lost", r.first, r.last, cursor, lost)
	}
}

// testCrowd publishes the event of n clients, which all ask again within a moment. Meanwhile, it is published
// again.
func testCrowd(t *testing.T, n int) {
	_, path := startServer(t, t.TempDir(), longPoll, "COMET_SLEEP=1")
	clients := startCrowd(t, path, n)
	round := func(how string) (full int) {
		wantWaiting(t, path, n)
		await := clients.begin(noCursor, how)
		wantPublished(t, path, "a")
		wantPublished(t, path, "a")
		r := await()
		t.Logf("%d clients, %s: the backlog was full for %d; they asked within %v; all took %v",
			n, how, r.full, r.asking, r.total)
		clients.awaitAll(r, cursorOf(t, path))
		return r.full
	}
	for _, how := range []string{eachAtOnce, together} {
		const attempts = 10 // On a busy machine, comet-fcgi may not get the time to accept connections.
		full := round(how)
		for i := 1; i < attempts && full > 0; i++ {
			full = round(how)
		}
		if full > 0 {
			t.Errorf("%s: in each of %d rounds, the backlog was full for some", how, attempts)
		}
	}
	wantWaiting(t, path, n)
}

func TestServer_AnswersACrowdThatAsksAgainAtOnce(t *testing.T) {
	const n = 5000
	needOpenFiles(t, n+2000)
	testCrowd(t, n)
}

// The sockets of systemd and of other process managers outlive the process.
func TestServer_LosesNothingWhenItRestartsUnderLoad(t *testing.T) {
	const n, restarts = 500, 5
	needOpenFiles(t, n+2000)
	directory := t.TempDir()
	socket, path := listeningSocket(t)
	options := startOptions{stdin: socket, env: []string{longPoll, "COMET_SLEEP=1"}}
	p := start(t, directory, options)
	p.waitUntilReady()
	clients := startCrowd(t, path, n)
	wantWaiting(t, path, n)
	for i := range restarts {
		await := clients.begin(noCursor, eachAtOnce)
		if i%2 == 1 {
			touch(t, filepath.Join(directory, "a.comet"))
		}
		p.terminate() // All are answered, and ask again before the next process has started.
		if i%2 == 0 {
			touch(t, filepath.Join(directory, "a.comet"))
		}
		p = start(t, directory, options)
		clients.awaitAll(await(), cursorOf(t, path))
	}
}
