package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core/servertest"
)

func TestGate_AnswersPublicationsAndPolls(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	_, path := startServer(t, directory)
	wantPublished(t, path, "news")
	if !exists(filepath.Join(directory, "news.comet")) {
		t.Error("news.comet is missing")
	}
	r := ask(t, path, get("subscribed[news]=1.0&subscribed[other]=now"), "")
	wantText(t, r.body, `{"s":1,"k":{"news":`, `"at":{"news":"`, `,"other":"0.000000"}`)
	wantAnswer(t, ask(t, path, get("subscribed[other]=now&wait=0"), ""), http.StatusOK,
		`{"s":0,"at":{"other":"0.000000"}}`)
	if got := r.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control: %q", got)
	}
	variables := get("subscribed[a]=now&wait=0")
	for _, name := range []string{
		"HTTP_HOST", "REQUEST_URI", "SERVER_PROTOCOL", "GATEWAY_INTERFACE", "HTTPS", "REMOTE_PORT", "COMET_TRIES",
	} {
		variables[name] = "" // as if it were missing
	}
	wantAnswer(t, ask(t, path, variables, ""), http.StatusOK, `{"s":0,"at":{"a":"0.000000"}}`)
}

// The answer to a parked poll comes from another handler than the one that has read the request.
func TestGate_AddsTheHeadersOfListedSitesToParkedAndRefusedRequests(t *testing.T) {
	t.Parallel()
	_, path := startServer(t, t.TempDir(), "COMET_MAX_REQUEST=4096")
	const site = "https://a.example"
	form := "publish=a&" + strings.Repeat("x", 8000)
	for _, test := range []struct {
		name, origins, allowed string
		variables              map[string]string
		body                   string
		status                 int
	}{
		{"a parked poll", site, site, get("subscribed[never]=now"), "", http.StatusOK},
		{"a form that is too large", site, site, post(len(form)), form, http.StatusRequestEntityTooLarge},
		{"another site", "https://b.example", "", post(len(form)), form, http.StatusRequestEntityTooLarge},
		{"no site is listed", "", "", post(len(form)), form, http.StatusRequestEntityTooLarge},
	} {
		r := ask(t, path, with(test.variables, "HTTP_ORIGIN", site, "COMET_ORIGINS", test.origins), test.body)
		if r.status != test.status || r.header.Get("Access-Control-Allow-Origin") != test.allowed {
			t.Errorf("%s: HTTP %d %s, %v", test.name, r.status, r.body, r.header)
		}
		if test.allowed != "" && r.header.Get("Vary") != "Origin" {
			t.Errorf("%s: Vary: %q", test.name, r.header.Get("Vary"))
		}
	}
}

func TestGate_RefusesAPollAtOnceAndKeepsTheConnection(t *testing.T) {
	t.Parallel()
	_, path := startServer(t, t.TempDir(), "COMET_SUBSCRIBE_ALLOW=news", longPoll, "COMET_SLEEP=1h")
	w := connect(t, path)
	for id := uint16(1); id < 4; id++ {
		w.send(t, requestRecords(id, keepConn, get("subscribed[news]=1&subscribed[other]=now"), ""))
		w.wantResponse(t, id, http.StatusForbidden,
			`{"error":"subscribing to \"other\" is not allowed without a login"}`)
	}
}

func TestGate_AnswersPollsAboveMaxWaitingAtOnce(t *testing.T) {
	t.Parallel()
	const limit = 10
	s, path := startInProcess(t, t.TempDir(), fmt.Sprint("COMET_MAX_WAITING=", limit))
	polls := connectMany(t, path, limit)
	for _, w := range polls.all {
		w.send(t, requestRecords(1, 0, get("subscribed[a]=0.0"), ""))
	}
	servertest.WaitFor(t, "all polls wait", func() bool { return s.waiting() == limit })

	wantAnswer(t, ask(t, path, get("subscribed[a]=now"), ""), http.StatusOK, `{"s":0,"at":{"a":"0.000000"}}`)
	wantAnswer(t, ask(t, path, get("subscribed[a]=1"), ""), http.StatusOK, `{"s":0}`)
	// The second of a legacy cursor must end first, because a publication may still get it as its stamp.
	now := time.Now().Unix()
	wantAnswer(t, ask(t, path, get(fmt.Sprintf("subscribed[a]=%d", now)), ""), http.StatusOK, `{"s":0}`)
	if time.Now().Unix() == now {
		t.Error("the answer came before the second of the cursor ended")
	}
	if n := s.waiting(); n != limit {
		t.Errorf("%d polls wait, want %d", n, limit)
	}
	wantPublished(t, path, "a")
	for _, w := range polls.all {
		w.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	}
}

func TestGate_PublishesAtOnceWhileThousandsOfPollsWait(t *testing.T) {
	const each = 1000
	needOpenFiles(t, 4*each+200)
	s, path := startInProcess(t, t.TempDir(), "COMET_MAX_WAITING=5000")
	form := "subscribed[news]=0.0&subscribed[x]=0.0"
	polls := connectMany(t, path, 2*each)
	posts, kept := polls.all[:each], polls.all[each:]
	for i := range each {
		posts[i].send(t, requestRecords(1, 0, post(len(form)), form))
		kept[i].send(t, requestRecords(1, keepConn, get("subscribed[news]=0.0"), ""))
	}
	servertest.WaitFor(t, "all polls wait", func() bool { return s.waiting() == 2*each })

	publish := func(id string) {
		t.Helper()
		const limit = time.Second // on a busy machine
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
	for _, w := range posts {
		w.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"news":`)
		w.wantClosed(t)
	}
	for _, w := range kept {
		w.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"news":`)
		w.send(t, requestRecords(2, keepConn, get("subscribed[again]=0.0"), ""))
	}
	servertest.WaitFor(t, "polls wait on the kept connections", func() bool { return s.waiting() == each })
	wantPublished(t, path, "again")
	for _, w := range kept {
		w.wantResponse(t, 2, http.StatusOK, `{"s":1,"k":{"again":`)
	}
	polls.close()
	servertest.WaitFor(t, "all connections are closed", func() bool { return s.connections() == 0 })
}

// FuzzGate sends any bytes in any pieces: nothing panics or hangs, the server answers with whole records,
// at most one poll waits on the connection, and everything has ended afterwards. (A bubble ends only when
// all its goroutines have ended, and its clock advances only when all of them wait.)
func FuzzGate(f *testing.F) {
	poll, publication := get("subscribed[a]=now"), get("publish=a")
	kept := requestRecords(1, keepConn, poll, "")
	form := "subscribed[a]=now&wait=3"
	for _, seed := range [][]byte{
		nil,
		kept,
		kept[:len(kept)-3],
		requestRecords(1, keepConn, publication, ""),
		slices.Concat(requestRecords(1, keepConn, publication, ""), requestRecords(2, 0, poll, "")),
		slices.Concat(kept, requestRecords(2, 0, poll, "")),
		slices.Concat(kept, record(2, 1, nil, 0)),
		slices.Concat(kept, record(2, 1, nil, 0), requestRecords(1, keepConn, publication, "")),
		slices.Concat(kept, []byte{1, 9, 0, 0, 255, 255, 0, 0}),
		slices.Concat(kept, record(9, 0, pair("FCGI_MPXS_CONNS", ""), 5)),
		requestRecords(1, 0, post(len(form)), form),
		slices.Concat(beginRecord(1, 2, 0), kept),
		slices.Concat(beginRecord(1, 1, 0), streamRecords(4, 1, []byte{0xff, 0xff, 0xff, 0xff, 0x80, 0, 0}, 0)),
		[]byte("GET / HTTP/1.1\r\n\r\n"),
	} {
		for _, pieces := range [][]byte{nil, {1}, {7, 0, 90}} {
			f.Add(seed, pieces, byte(len(pieces)))
		}
	}
	settings := readSettings(f, "COMET_TRIES=10", "COMET_SLEEP=1", "COMET_REQUEST_TIMEOUT=5", "COMET_MAX_REQUEST=4096",
		"COMET_MAX_SERVING=2")
	// The web server leaves at once, while its poll waits, or long after all answers.
	stays := []time.Duration{0, 4 * time.Second, time.Hour}
	f.Fuzz(func(t *testing.T, sent, pieces []byte, stay byte) {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(&memoryStore{}, settings, 10, slog.New(slog.DiscardHandler))
			ours, theirs := net.Pipe()
			s.places <- struct{}{}
			s.enter(newConnection(theirs, settings.RequestTimeout))
			received := make(chan []byte)
			go func() {
				b, _ := io.ReadAll(ours)
				received <- b
			}()
			sendInPieces(ours, sent, pieces)
			synctest.Wait()
			if n := s.waiting(); n > 1 {
				t.Errorf("%d polls wait on one connection", n)
			}
			time.Sleep(stays[int(stay)%len(stays)])
			ours.Close()
			closed := time.Now()
			wantWholeRecords(t, <-received)
			s.end()
			synctest.Wait()
			if took := time.Since(closed); took > settings.RequestTimeout {
				t.Errorf("the connection was forgotten after %v", took)
			}
			if waiting, connections := s.waiting(), s.connections(); waiting+connections > 0 {
				t.Errorf("%d polls and %d connections are left", waiting, connections)
			}
		})
	})
}

// sendInPieces sends the bytes in pieces of these lengths, then the rest. For a length of 0 it waits for a
// second.
func sendInPieces(conn net.Conn, sent, pieces []byte) {
	for i := 0; len(sent) > 0; i++ {
		length := len(sent)
		if i < len(pieces) {
			length = min(length, int(pieces[i]))
		}
		if length == 0 {
			time.Sleep(time.Second)
		}
		if _, err := conn.Write(sent[:length]); err != nil {
			return // The server has closed the connection because of what it has read.
		}
		sent = sent[length:]
	}
}

func wantWholeRecords(t *testing.T, received []byte) {
	t.Helper()
	w := newWebServer(&memoryConn{in: bytes.NewReader(received)})
	for {
		if _, _, _, err := w.receive(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v in %q", err, received)
		}
	}
}
