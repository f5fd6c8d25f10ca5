package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"novcomet/conf"
	"novcomet/conf/build"
)

// inside is a server in the test's own process, with the directory's events, where what it holds can be counted. Its polls wait
// for longer than any test.
func inside(t *testing.T, directory string, env ...string) (s *server, path string) {
	t.Helper()
	environ := append([]string{"COMET_FILE_DIRECTORY=" + directory, long, "COMET_SLEEP=100ms"}, env...)
	settings, err := conf.Read(conf.Source{File: os.DevNull, Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	log := build.Log(io.Discard, slog.LevelInfo)
	opened, err := openStore(settings.Config)
	if err != nil {
		t.Fatal(err)
	}
	if settings.Config, err = withMaxWaiting(settings.Config); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(shortDir(t), "comet.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s = newServer(opened, settings, 10_000, log)
	s.working.Go(func() { s.serve(l) })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		l.Close()
		s.stop(ctx)
	})
	return s, path
}

func (s *server) waiting() int { return int(s.metrics.Waiting.Load()) }

func (s *server) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// crowd are many connections.
type crowd struct{ of []*webServer }

func connectCrowd(t *testing.T, path string, n int) *crowd {
	t.Helper()
	c := &crowd{}
	t.Cleanup(c.leave)
	for range n {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(2 * patience))
		c.of = append(c.of, answering(conn))
	}
	return c
}

// leave closes all connections, and forgets them.
func (c *crowd) leave() {
	for _, w := range c.of {
		w.Close()
	}
	c.of = nil
}

// footprint is what this process holds. It says something only in a test that runs alone: one that is not parallel.
type footprint struct {
	goroutines int
	memory     uint64 // bytes of heap and stacks
}

func takeFootprint() footprint {
	runtime.GC()
	runtime.GC() // A pool gives its things up at the second one.
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{runtime.NumGoroutine(), m.HeapInuse + m.StackInuse}
}

// wantBack wants the process as small again as it was before.
func (before footprint) wantBack(t *testing.T) {
	t.Helper()
	const unsteady = 2 << 20 // what the heap varies by, from one time to another
	const watch = 2          // goroutines that watch the store; they start when a poll first waits, and stay
	var now footprint
	eventuallyOr(func() bool {
		now = takeFootprint()
		return now.goroutines <= before.goroutines+watch && now.memory <= before.memory+unsteady
	}, func() {
		stacks := make([]byte, 64<<10)
		t.Errorf("%d goroutines and %d KiB are left, before there were %d and %d:\n%s", now.goroutines, now.memory>>10,
			before.goroutines, before.memory>>10, stacks[:runtime.Stack(stacks, true)])
	})
}

// eventuallyOr is eventually for what takes its time to look at.
func eventuallyOr(happened func() bool, or func()) {
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for giveUp := time.Now().Add(patience); !happened(); <-look.C {
		if time.Now().After(giveUp) {
			or()
			return
		}
	}
}

// needFiles skips the test where this process may not open so many files.
func needFiles(t *testing.T, n int) {
	t.Helper()
	if most, err := maxConnections(); err != nil || most < n {
		t.Skipf("it takes %d open files, ulimit -n allows %d (%v)", n, most, err)
	}
}
