package reactor

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
	"novcomet/core/servertest"
	"novcomet/fcgi/fastcgi"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// addSeeds adds what web servers send, and worse.
func addSeeds(f *testing.F, add func(sent []byte)) {
	f.Helper()
	isPoll := func(variables map[string]string) map[string]string { return With(variables, pollVariable, "1") }
	poll := Request(1, Keep, isPoll(Get("subscribed[a]=now")), "")
	publication := Request(1, Keep, Get("publish=a"), "")
	form := "subscribed[a]=now&wait=3"
	for _, seed := range [][]byte{
		nil,
		poll,
		poll[:len(poll)-3],
		publication,
		slices.Concat(publication, Request(2, 0, isPoll(Get("subscribed[a]=now")), "")),
		slices.Concat(poll, Request(2, 0, Get("publish=a"), "")),
		slices.Concat(poll, Abort(1)),
		slices.Concat(poll, Abort(1), publication),
		slices.Concat(poll, []byte{1, 9, 0, 0, 255, 255, 0, 0}),
		slices.Concat(poll, Record(9, 0, Pair("FCGI_MPXS_CONNS", ""), 5)),
		bytes.Repeat(GetValues(), 30),
		Request(1, Keep, isPoll(GetStream("subscribed[a]=now")), ""),
		slices.Concat(Request(1, Keep, isPoll(GetStream("subscribed[a]=now")), ""), Abort(1), publication),
		Request(1, 0, Post(len(form)), form),
		slices.Concat(Begin(1, 2, 0), poll),
		slices.Concat(Begin(1, 1, 0), Stream(4, 1, []byte{0xff, 0xff, 0xff, 0xff, 0x80, 0, 0}, 0)),
		slices.Concat(Begin(1, 1, Keep), Stream(4, 1, nil, 0), Stream(5, 1, []byte("x"), 1), publication),
		Request(1, Keep, isPoll(Get(strings.Repeat("x", 5000))), ""),
		Request(1, Keep, isPoll(Post(5000)), strings.Repeat("x", 5000)),
		[]byte("GET / HTTP/1.1\r\n\r\n"),
	} {
		add(seed)
	}
}

// FuzzReactor sends any bytes in any pieces, and reads the answers in any pieces: nothing panics or hangs,
// the reactor answers with whole records, at most one poll waits on the connection, and everything has ended
// afterwards. (A bubble ends only when all its goroutines have ended, and its clock advances only when all of
// them wait.)
func FuzzReactor(f *testing.F) {
	addSeeds(f, func(sent []byte) {
		for i, pieces := range [][]byte{nil, {1}, {7, 0, 90}} {
			f.Add(sent, pieces, pieces, byte(i), uint16(20+1000*i))
		}
	})
	// The web server leaves at once, while its poll waits, or long after all answers.
	stays := []time.Duration{0, 4 * time.Second, time.Hour}
	f.Fuzz(func(t *testing.T, sent, sendPieces, readPieces []byte, stay byte, size uint16) {
		synctest.Test(t, func(t *testing.T) {
			b := startBubble(t, Options{MaxServing: 2, MaxBuffered: 100_000})
			defer b.end()
			w := b.connectWith(1 + int(size))
			received := make(chan []byte)
			go func() { received <- w.readPieces(t, readPieces) }()
			sendInPieces(w, sent, sendPieces, time.Second)
			synctest.Wait()
			if n := b.Parked(); n > 1 {
				t.Errorf("%d polls wait on one connection", n)
			}
			time.Sleep(stays[int(stay)%len(stays)])
			w.socketEnd.Close()
			<-received
		})
	})
}

// readPieces reads pieces of these lengths, then the rest. For a length of 0 it waits for a second. If the
// reactor closes the connection, it must have sent whole records.
func (w *webServer) readPieces(t *testing.T, pieces []byte) (all []byte) {
	buffer := make([]byte, 1000)
	for i := 0; ; i++ {
		length := len(buffer)
		if i < len(pieces) {
			length = max(1, int(pieces[i]))
			time.Sleep(time.Second * time.Duration(1-min(1, pieces[i])))
		}
		n, err := w.socketEnd.Read(buffer[:length])
		all = append(all, buffer[:n]...)
		if err == nil {
			continue
		}
		in := NewWebServer(readOnly{bytes.NewReader(all)})
		for ended := error(nil); ended == nil; {
			_, _, _, ended = in.Receive()
			if !errors.Is(ended, io.EOF) && ended != nil && !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%v in %q", ended, all)
			}
		}
		return all
	}
}

type readOnly struct{ io.Reader }

func (readOnly) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
func (readOnly) Close() error              { return nil }

// sendInPieces sends the bytes in pieces of these lengths, then the rest. For a length of 0 it makes a pause.
func sendInPieces(w io.Writer, sent, pieces []byte, pause time.Duration) {
	for i := 0; len(sent) > 0; i++ {
		length := len(sent)
		if i < len(pieces) {
			length = min(length, int(pieces[i]))
		}
		if length == 0 {
			time.Sleep(pause)
			continue
		}
		if _, err := w.Write(sent[:length]); err != nil {
			return // The reactor has closed the connection because of what it has read.
		}
		sent = sent[length:]
	}
}

// modelService answers polls and other requests as the model expects it.
type modelService struct{ *testService }

const modelLimit = 4096

func (s modelService) Open(r *fastcgi.Request, mayBlock bool) Opened {
	if r.Refused != nil || r.Variables[pollVariable] == "" {
		ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
		return Opened{Opened: core.Opened{Handler: ok}}
	}
	poll := *r
	poll.Variables = Get("subscribed[never]=now")
	return s.testService.Open(&poll, mayBlock)
}

func (modelService) Limits() Limits {
	return Limits{Limits: fastcgi.Limits{Params: modelLimit, Body: modelLimit}, Time: time.Hour}
}

// FuzzRealSockets sends any bytes in any pieces through real sockets to a reactor that has many
// connections, and compares the answers with those of a model.
func FuzzRealSockets(f *testing.F) {
	addSeeds(f, func(sent []byte) {
		for _, pieces := range [][]byte{nil, {1}, {7, 0, 90}} {
			f.Add(sent, pieces)
		}
	})
	log := slog.New(slog.NewTextHandler(panicWriter{}, nil))
	service := modelService{newTestService(log, newMemoryStore())}
	service.location.Tries = 1 << 20
	r, err := New(service, Options{MaxConnections: 100, MaxServing: 4, MaxBuffered: 1 << 30, Log: log})
	if err != nil {
		f.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(r.Run)
	f.Cleanup(func() {
		r.Close()
		running.Wait()
		if r.received != 0 || r.unsent != 0 {
			f.Errorf("%d bytes are buffered", r.received+r.unsent)
		}
	})
	f.Fuzz(func(t *testing.T, sent, pieces []byte) {
		fd, end := socketPair(t)
		r.places <- struct{}{}
		r.inbox.post(func(m *messages) { m.accepted = append(m.accepted, int(fd)) })
		w := NewWebServer(end)
		got := make(chan string, len(sent)+2)
		go func() {
			defer close(got)
			for before := ""; ; {
				kind, id, content, err := w.Receive()
				if err != nil {
					return
				}
				if record := describe(kind, id, content, before); record != "" {
					got <- record
					before = record
				}
			}
		}()
		receive := func(want []string) {
			t.Helper()
			for i, want := range want {
				select {
				case record := <-got:
					if record != want {
						t.Fatalf("record %d is %q, want %q", i, record, want)
					}
				case <-time.After(servertest.Patience):
					t.Fatalf("record %d does not arrive, want %q", i, want)
				}
			}
		}
		m := &model{limit: modelLimit}
		for !m.closed {
			m.want = nil
			length, answered := 0, false
			for n := 1; n > 0 && !m.closed && !answered; length += n {
				n, answered = m.next(sent[length:])
			}
			if !answered && (m.closed || len(m.want) == 0) {
				length = len(sent)
			}
			sendInPieces(end, sent[:length], pieces, 100*time.Microsecond)
			sent = sent[length:]
			receive(m.want)
			if len(m.want) == 0 {
				break
			}
		}
		if m.closed {
			if record, open := <-got; open {
				t.Fatalf("the connection is open: %q", record)
			}
		}
		end.Close()
		for record := range got {
			t.Errorf("received %q", record)
		}
		servertest.WaitFor(t, "the connection is forgotten", func() bool { return r.Connections()+r.Parked() == 0 })
	})
}

// panicWriter panics if the reactor logs a panic.
type panicWriter struct{}

func (panicWriter) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("panic=")) {
		panic(string(line))
	}
	return len(line), nil
}
