package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core/servertest"
)

// blockedWriter is a log file that is read once unblock is closed.
type blockedWriter struct {
	servertest.Output
	unblock chan struct{}
}

func (w *blockedWriter) Write(b []byte) (int, error) {
	<-w.unblock
	return w.Output.Write(b)
}

func TestLogQueue_DropsAndCountsLinesWhileTheLogIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &blockedWriter{unblock: make(chan struct{})}
		log := newServerLog(out, readSettings(t, "COMET_LOG=error").Config, false)
		long := strings.Repeat("x", 1000)
		log.verbatim.Error("first")
		synctest.Wait() // The goroutine writes the first line.
		const logged = 2 * maxQueued / 1000
		for i := range logged {
			log.verbatim.Error(fmt.Sprint(i, long))
		}
		if n := len(log.queue.lines); n > maxQueued {
			t.Errorf("%d bytes are queued, want at most %d", n, maxQueued)
		}
		close(out.unblock)
		synctest.Wait()
		lines := strings.SplitAfter(out.String(), "\n")
		written := len(lines) - 3 // without the first, the last, and what is after it
		if lines[0] != "level=ERROR msg=first\n" || written < logged/3 || written > logged/2 {
			t.Errorf("%q and %d more lines of %d were written", lines[0], written, logged)
		}
		for i, line := range lines[1 : 1+written] {
			if want := fmt.Sprintf("level=ERROR msg=%d%s\n", i, long); line != want {
				t.Fatalf("line %d is %.40q, want %.40q", i, line, want)
			}
		}
		want := fmt.Sprintf("level=WARN msg=\"log lines were dropped, because the log was read too slowly\" lines=%d\n",
			logged-written)
		if last := lines[1+written]; last != want {
			t.Errorf("the last line is %q, want %q", last, want)
		}
		log.verbatim.Error("again")
		log.close()
		if !strings.HasSuffix(out.String(), want+"level=ERROR msg=again\n") {
			t.Error("the queue does not go on afterwards")
		}
	})
}

func TestLogQueue_EndsInTimeWhenTheLogIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &blockedWriter{unblock: make(chan struct{})}
		log := newServerLog(out, readSettings(t).Config, false)
		log.Error("it broke")
		begin := time.Now()
		log.close()
		if took := time.Since(begin); took != flushTime {
			t.Errorf("close took %v, want %v", took, flushTime)
		}
		log.Error("it broke again")
		log.close()
		close(out.unblock)
		synctest.Wait()
		if got, want := out.String(), "level=ERROR msg=\"it broke\"\n"; got != want {
			t.Errorf("written: %q, want %q", got, want)
		}
	})
}

func TestLogQueue_WritesEachLineOfManyWritersWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, written := testLog(t)
		var writers sync.WaitGroup
		for range 50 {
			writers.Go(func() {
				for range 100 {
					log.Info("it works")
				}
			})
		}
		writers.Wait()
		if got, want := written(), strings.Repeat("level=INFO msg=\"it works\"\n", 5000); got != want {
			t.Errorf("%d lines, some of them not whole", strings.Count(got, "\n"))
		}
	})
}
