package main

import (
	"net/http"
	"testing"
	"time"
)

func TestPublicationsGoThroughAtOnceWhileThousandsOfPollsWait(t *testing.T) {
	const each = 1000
	needFiles(t, 4*each+200)
	s, path := inside(t, t.TempDir(), "COMET_MAX_WAITING=5000")
	form := "subscribed[news]=0.0&subscribed[x]=0.0"
	polls := connectCrowd(t, path, 2*each)
	posts, kept := polls.of[:each], polls.of[each:]
	for i := range each {
		posts[i].send(t, sentRequest(1, 0, posted(len(form)), form))
		kept[i].send(t, sentRequest(1, keep, asked("subscribed[news]=0.0"), ""))
	}
	eventually(t, "they all wait", func() bool { return s.waiting() == 2*each })

	const soon = time.Second // on a busy machine
	for range 20 {
		begin := time.Now()
		wantAnswer(t, ask(t, path, asked("publish=other"), ""), http.StatusOK, "true")
		if took := time.Since(begin); took > soon {
			t.Errorf("a publication took %v", took)
		}
	}
	if n := s.waiting(); n != 2*each {
		t.Fatalf("%d wait after publications of another event, want %d", n, 2*each)
	}
	begin := time.Now()
	wantAnswer(t, ask(t, path, asked("publish=news"), ""), http.StatusOK, "true")
	if took := time.Since(begin); took > soon {
		t.Errorf("the publication for all took %v", took)
	}
	for _, w := range posts {
		w.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"news":`)
		w.wantEnd(t)
	}
	for _, w := range kept {
		w.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"news":`)
		w.send(t, sentRequest(2, keep, asked("subscribed[again]=0.0"), ""))
	}
	eventually(t, "the kept connections wait again", func() bool { return s.waiting() == each })
	wantAnswer(t, ask(t, path, asked("publish=again"), ""), http.StatusOK, "true")
	for _, w := range kept {
		w.wantResponse(t, 2, http.StatusOK, `{"s":1,"k":{"again":`)
	}
	polls.leave()
	eventually(t, "no connection is left", func() bool { return s.connections() == 0 })
}
