package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"novcomet/core/servertest"
)

func TestResponders_RecoverFromAPanicInAHandler(t *testing.T) {
	inBubble(t, func(t *testing.T, s *bubbleServer) {
		s.store.publish = func() { panic("a fault in the store") }
		w := s.connect()
		w.send(t, requestRecords(1, keepConn, get("publish=a"), ""))
		w.wantResponse(t, 1, http.StatusInternalServerError, `{"error":"internal error`)
		w.send(t, requestRecords(1, 0, get("subscribed[a]=now&wait=0"), ""))
		w.wantResponse(t, 1, http.StatusOK, `{"s":0`)
		s.end()
		wantLine(t, s.log.String(), "a fault in the store", "responder_test.go")
	})
}

func TestResponders_ServePollsWhilePublicationsWaitForTheStore(t *testing.T) {
	inBubble(t, func(t *testing.T, s *bubbleServer) {
		unblock := make(chan struct{})
		s.store.publish = func() { <-unblock }
		var publishers []*webServer
		for range 20 {
			w := s.connect()
			w.send(t, requestRecords(1, 0, get("publish=a"), ""))
			publishers = append(publishers, w)
		}
		synctest.Wait()
		if n := s.responders.busy(); n != 4 {
			t.Errorf("%d of 8 responders publish, want 4", n)
		}
		w := s.connect()
		w.send(t, requestRecords(1, 0, get("subscribed[a]=now&wait=0"), ""))
		w.wantResponse(t, 1, http.StatusOK, `{"s":0`)
		close(unblock)
		for _, w := range publishers {
			w.wantResponse(t, 1, http.StatusOK, "true")
		}
		s.end()
	})
}

func TestResponders_LimitOnlyLargeAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs := newResponders(2)
		defer rs.close()
		leaveFirst, leaveSecond := rs.acquireFor(largeAnswer+1), rs.acquireFor(1<<20)
		third := make(chan func(), 1)
		go func() { third <- rs.acquireFor(largeAnswer + 1) }()
		for range 100 {
			rs.acquireFor(largeAnswer)()
		}
		synctest.Wait()
		if len(third) != 0 || !rs.contended() {
			t.Error("a third large answer has room beside two others")
		}
		leaveFirst()
		(<-third)()
		if rs.contended() {
			t.Error("an answer waits although there is room")
		}
		leaveSecond()
	})
}

// sendSlowReader sends a poll whose answer has 400 KB, which is more than the buffers of a socket, and does
// not read it.
func sendSlowReader(t *testing.T, path string) {
	t.Helper()
	var form strings.Builder
	form.WriteString("wait=0")
	for i := range 1000 {
		fmt.Fprintf(&form, "&subscribed[%s%d]=now", strings.Repeat(`"`, 190), i) // In JSON, each " has two bytes.
	}
	connect(t, path).send(t, requestRecords(1, keepConn, post(form.Len()), form.String()))
}

func TestResponders_ServeOthersWhileReadersAreSlow(t *testing.T) {
	t.Parallel()
	const slow, limit = 6, 2
	s, path := startInProcess(t, t.TempDir(), fmt.Sprint("COMET_MAX_SERVING=", limit), "COMET_MAX_REQUEST=1000000",
		"COMET_REQUEST_TIMEOUT=2s")
	for range slow {
		sendSlowReader(t, path)
	}
	servertest.WaitFor(t, "the large answers are being written", func() bool {
		return s.connections() == slow && len(s.responders.sending) == limit
	})
	polls := connectMany(t, path, 50)
	for _, w := range polls.all {
		w.send(t, requestRecords(1, 0, get("subscribed[news]=0.0"), ""))
	}
	wantPublished(t, path, "news")
	for _, w := range polls.all {
		w.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"news":`)
	}
	servertest.WaitFor(t, "the slow readers are closed", func() bool {
		return s.connections()+s.responders.busy() == 0
	})
}
