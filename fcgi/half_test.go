package main

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

func TestAThousandHalfRequestsAreClosedInTimeAndKeepNobodyWaiting(t *testing.T) {
	const n, timeout = 1000, 2 * time.Second
	needFiles(t, 2*n+200)
	directory := t.TempDir()
	s, path := inside(t, directory, "COMET_MAX_SERVING=1", "COMET_REQUEST_TIMEOUT="+timeout.String())
	whole := sentRequest(1, 0, asked("subscribed[a]=now"), "")
	halves := [][]byte{
		nil,
		whole[:3],
		whole[:len(whole)-1],
		append(sentBegin(1, 1, 0), 1, 4, 0, 1, 255, 255, 0, 0, 'x'), // announces 64 KiB
	}
	round := func() {
		begin := time.Now()
		half := connectCrowd(t, path, n)
		for i, w := range half.of {
			w.send(t, halves[i%len(halves)])
		}
		poll := connect(t, path)
		poll.send(t, sentRequest(1, 0, asked("subscribed[news]=now"), ""))
		eventually(t, "it waits", func() bool { return s.waiting() == 1 })
		wantAnswer(t, ask(t, path, asked("publish=other"), ""), http.StatusOK, "true")
		touchFile(t, filepath.Join(directory, "news.comet"))
		poll.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"news":`)
		if n := s.connections(); n < len(half.of) {
			t.Logf("too slow a machine to show that others are served meanwhile: %v", time.Since(begin))
		}
		for _, w := range half.of {
			w.wantEnd(t)
		}
		if took := time.Since(begin); took < timeout || took > timeout+patience {
			t.Errorf("they were closed after %v, want %v", took, timeout)
		}
		half.leave()
		eventually(t, "no connection is left", func() bool { return s.connections() == 0 })
	}
	round()
	before := takeFootprint()
	round()
	before.wantBack(t)
}
