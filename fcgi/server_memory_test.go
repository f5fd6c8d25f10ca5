package main

import (
	"net/http"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"novcomet/core/servertest"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// footprint is what this process needs. It can be compared only in a test that runs alone: one that is not
// parallel.
type footprint struct {
	goroutines int
	memory     uint64 // heap and stacks, in bytes
	files      int    // open ones
}

func measureFootprint() footprint {
	runtime.GC()
	runtime.GC() // A sync.Pool is empty after the second one.
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{runtime.NumGoroutine(), m.HeapInuse + m.StackInuse, len(openFiles())}
}

// openFiles returns the descriptors of this process.
func openFiles() (files []int) {
	names, _ := filepath.Glob("/proc/self/fd/*") // It has one more: that of the folder.
	for _, name := range names {
		fd, err := strconv.Atoi(filepath.Base(name))
		if err == nil {
			files = append(files, fd)
		}
	}
	return files
}

// wantAgain waits until the process needs no more than before.
func (before footprint) wantAgain(t *testing.T) {
	t.Helper()
	const noise = 2 << 20 // bytes
	const watch = 2       // goroutines that watch the store from the first poll on
	var now footprint
	defer func() {
		if t.Failed() {
			stacks := make([]byte, 64<<10)
			t.Logf("%+v, before: %+v\n%s", now, before, stacks[:runtime.Stack(stacks, true)])
		}
	}()
	servertest.WaitFor(t, "the process needs no more than before", func() bool {
		now = measureFootprint()
		return now.goroutines <= before.goroutines+watch && now.memory <= before.memory+noise &&
			now.files <= before.files
	})
}

// When a popular page is closed, or a proxy ends, many browsers leave within a moment.
func TestServer_ReleasesMemoryWhenTwoThousandPollsLeaveAtOnce(t *testing.T) {
	const n, rounds, limit = 2000, 20, 10 * time.Second // on a busy machine
	needOpenFiles(t, 2*n+200)
	s, path := startInProcess(t, t.TempDir(), "COMET_MAX_SERVING=1", "COMET_MAX_WAITING=5000")
	requests := [][]byte{
		Request(1, 0, Get("subscribed[a]=now"), ""),
		Request(1, Keep, Get("subscribed[b]=now&subscribed[c]=now"), ""),
		Request(1, 0, Get("subscribed[a]=1&1763800000000"), ""),
	}
	var before footprint
	for round := range rounds {
		polls := connectMany(t, path, n, requests...)
		servertest.WaitFor(t, "all polls wait", func() bool { return s.waiting() == n })
		begin := time.Now()
		polls.close()
		servertest.WaitFor(t, "all polls are forgotten", func() bool { return s.waiting()+s.reactor.Connections() == 0 })
		if took := time.Since(begin); took > limit {
			t.Errorf("round %d: the polls were forgotten after %v", round, took)
		}
		if round == 0 {
			before = measureFootprint()
		}
	}
	before.wantAgain(t)
	wantPublished(t, path, "a")
}

// Meanwhile, other requests are served.
func TestServer_ReleasesMemoryAfterAThousandIncompleteRequests(t *testing.T) {
	const n, timeout = 1000, 4 * time.Second
	needOpenFiles(t, 2*n+200)
	directory := t.TempDir()
	s, path := startInProcess(t, directory, "COMET_MAX_SERVING=1", "COMET_REQUEST_TIMEOUT="+timeout.String())
	whole := Request(1, 0, Get("subscribed[a]=now"), "")
	parts := [][]byte{
		nil,
		whole[:3],
		whole[:len(whole)-1],
		append(Begin(1, 1, 0), 1, 4, 0, 1, 255, 255, 0, 0, 'x'), // It announces 64 KiB.
	}
	round := func() {
		begin := time.Now()
		incomplete := connectMany(t, path, n, parts...)
		poll := connectMany(t, path, 1, Request(1, 0, Get("subscribed[news]=now"), ""))
		defer poll.close()
		servertest.WaitFor(t, "the poll waits", func() bool { return s.waiting() == 1 })
		wantPublished(t, path, "other")
		touch(t, filepath.Join(directory, "news.comet"))
		poll.all[0].WantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"news":`)
		if open := s.reactor.Connections(); open < n {
			t.Logf("the machine is too slow to show that others are served meanwhile: %v", time.Since(begin))
		}
		for _, w := range incomplete.all {
			w.WantClosed(t)
		}
		const delay = 15 * time.Second // on a busy machine
		if took := time.Since(begin); took < timeout || took > timeout+delay {
			t.Errorf("the connections were closed after %v, want %v", took, timeout)
		}
		incomplete.close()
		servertest.WaitFor(t, "all connections are closed", func() bool { return s.reactor.Connections() == 0 })
	}
	round()
	before := measureFootprint()
	round()
	before.wantAgain(t)
}
