package main

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"novcomet/core/event"
)

// /dev/shm belongs to all programs of a machine. What the kernel can't queue, it drops.
func TestAStormOfForeignWritesHidesNoPublicationAndLeavesNothingBehind(t *testing.T) {
	const writes, rounds = 100_000, 10
	directory := t.TempDir()
	s, path := inside(t, directory, "COMET_MAX_SERVING=1", "COMET_SLEEP=1h") // Only the kernel tells in time.
	names := []string{"foreign.tmp", ".news.comet", "news.comet.swp", "nobody-waits-for-it.comet"}
	var files []*os.File
	for _, name := range names {
		file, err := os.Create(filepath.Join(directory, name))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		files = append(files, file)
	}
	storm := func(n int) {
		for i := range n {
			if _, err := files[i%len(files)].WriteAt([]byte("x"), 0); err != nil {
				t.Error(err)
				return
			}
		}
	}
	round := func(i int) {
		w := connect(t, path)
		defer w.Close()
		seen := event.Stamp(0) // Not now: what has just been published counts as new for a moment.
		if info, err := os.Stat(filepath.Join(directory, "news.comet")); err == nil {
			seen = event.StampOf(info.ModTime())
		}
		w.send(t, sentRequest(1, 0, asked("subscribed[news]="+seen.String()), ""))
		eventually(t, "it waits", func() bool { return s.waiting() == 1 })
		storm(writes / rounds / 2)
		touchFile(t, filepath.Join(directory, "news.comet"))
		begin := time.Now()
		storm(writes / rounds / 2)
		w.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"news":`)
		if took := time.Since(begin); took > patience {
			t.Errorf("round %d: it arrived after %v", i, took)
		}
	}
	round(0)
	eventually(t, "no connection is left", func() bool { return s.connections() == 0 })
	before := takeFootprint()
	for i := range rounds {
		round(i + 1)
	}
	eventually(t, "no connection is left", func() bool { return s.connections() == 0 })
	before.wantBack(t)
}
