package reactor

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	. "novcomet/fcgi/fastcgi/fastcgitest"
)

func TestRecord_IsReadHoweverItsBytesArrive(t *testing.T) {
	whole := slices.Concat(
		GetValues(),
		Record(1, 1, []byte{0, 1, Keep, 0, 0, 0, 0, 0}, 255),
		Stream(4, 1, Pairs(Get("publish=a")), 3),
		Stream(5, 1, nil, 8),
	)
	for size := 1; size <= len(whole); size = size*3/2 + 1 {
		inBubble(t, Options{}, func(t *testing.T, b *bubble) {
			w := b.connect()
			for part := range slices.Chunk(whole, size) {
				w.Send(t, part)
				synctest.Wait()
			}
			w.WantValues(t)
			w.WantResponse(t, 1, http.StatusOK, "true")
			b.wantBuffered(0)
		})
	}
}

func TestRecord_OfAnotherRequestIsRefusedOrIgnored(t *testing.T) {
	const complete, cannotMultiplex, unknownRole = 0, 1, 3
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		w := b.connect()
		first := Request(1, Keep, Get("subscribed[a]=now"), "")
		second := Request(2, Keep, Get("publish=second"), "")
		w.Send(t, first[:16], second)
		w.WantRefusal(t, 2, cannotMultiplex) // while the first one is incomplete
		w.Send(t, first[16:], second)
		w.WantRefusal(t, 2, cannotMultiplex) // while the first one waits
		w.Send(t, first)
		w.WantRefusal(t, 1, cannotMultiplex) // It is the second one with this id.
		w.Send(t, Abort(2), Record(77, 0, []byte("?"), 7))
		w.WantRecord(t, 11, 0, []byte{77, 0, 0, 0, 0, 0, 0, 0}) // FCGI_UNKNOWN_TYPE
		w.Send(t, Abort(1))
		w.WantRefusal(t, 1, complete)
		w.Send(t, Abort(1), Record(5, 1, []byte("late"), 0), Record(4, 8, nil, 0)) // They belong to no request.
		w.Send(t, Begin(5, 2, Keep), Stream(4, 5, nil, 0), Stream(5, 5, nil, 0))
		w.WantRefusal(t, 5, unknownRole)
		w.Send(t, second)
		w.WantResponse(t, 2, http.StatusOK, "true")
	})
}

func TestRecord_ThatIsInvalidClosesTheConnection(t *testing.T) {
	begin := Begin(1, 1, 0)
	for name, sent := range map[string][]byte{
		"HTTP":                              []byte("GET / HTTP/1.1\r\n\r\n"),
		"TLS":                               []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
		"another version":                   append([]byte{2}, begin[1:]...),
		"a short begin":                     Record(1, 1, []byte{0, 1, 0}, 0),
		"two begins of a request":           append(begin, begin...),
		"a begin between two variables":     slices.Concat(begin, Record(4, 1, Pair("a", "b"), 0), begin),
		"a body before the variables":       append(begin, Record(5, 1, nil, 0)...),
		"an abort of an incomplete request": append(begin, Abort(1)...),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{}, func(t *testing.T, b *bubble) {
				w := b.connect()
				w.Send(t, sent)
				w.WantClosed(t)
				b.wantConnections(0, 0)
				if warned := strings.Contains(b.log.String(), "level=WARN"); warned != (name == "HTTP") {
					t.Errorf("the log: %s", b.log)
				}
			})
		})
	}
}

func TestRecord_IsReadWithoutBeingKeptBeyondMaxBuffered(t *testing.T) {
	form := strings.Repeat("padding=1&", 5000) + "publish=a"
	for name, records := range map[string][]byte{
		"a body": Request(1, Keep, Post(len(form)), form),
		"variables": slices.Concat(Begin(1, 1, Keep), Record(4, 1, Pair("NAME", "value"), 0),
			Stream(4, 1, Pairs(With(Get("publish=a"), "HTTP_COOKIE", form)), 0), Stream(5, 1, nil, 0)),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{MaxBuffered: len(form)}, func(t *testing.T, b *bubble) {
				release := make(chan struct{})
				b.store.publish = func() { <-release }
				publisher := b.connect()
				publisher.Send(t, Request(1, Keep, Post(len(form)), form))
				synctest.Wait()
				before := b.buffered()
				if before < b.options.MaxBuffered {
					t.Fatalf("%d bytes are buffered", before)
				}
				w := b.connect()
				const piece = 1000
				for part := range slices.Chunk(records, piece) {
					w.Send(t, part)
					synctest.Wait()
					if n := b.buffered() - before; n > piece {
						t.Fatalf("%d bytes of the request are kept", n)
					}
				}
				w.WantResponse(t, 1, http.StatusServiceUnavailable, "max_buffered")
				w.Send(t, Request(2, Keep, Get("publish=a"), ""))
				w.WantResponse(t, 2, http.StatusServiceUnavailable, "max_buffered")
				w.Send(t, Request(3, Keep, Get("subscribed[a]=now&wait=0"), ""))
				w.WantResponse(t, 3, http.StatusOK, `{"s":0`)
				close(release)
				publisher.WantResponse(t, 1, http.StatusOK, "true")
				w.Send(t, Request(4, Keep, Post(len(form)), form))
				w.WantResponse(t, 4, http.StatusOK, "true")
			})
		})
	}
}

// If ignored content were kept until the end of its record, requests of other web servers could be refused.
func TestRecord_OfManyBytesIsHandledAsItArrives(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		w := b.connect()
		w.Send(t, Begin(1, 1, 0), Stream(4, 1, nil, 0))
		ignored := Record(8, 1, make([]byte, 65_535), 255)
		for part := range slices.Chunk(ignored, 1000) {
			w.Send(t, part)
			synctest.Wait()
			if n := b.buffered(); n > 8 {
				t.Fatalf("%d bytes are buffered", n)
			}
		}
		w.Send(t, Record(9, 0, make([]byte, 4097), 0)) // Such a record is not handled before its end, so it must be short.
		w.WantClosed(t)
	})
}

func TestRecord_ThatAbortsAnIncompleteRequestClosesTheConnection(t *testing.T) {
	for name, send := range map[string]func(t *testing.T, w *webServer){
		"in one piece": func(t *testing.T, w *webServer) { w.Send(t, Begin(1, 1, Keep), Abort(1)) },
		"in two pieces": func(t *testing.T, w *webServer) {
			w.Send(t, Begin(1, 1, Keep))
			synctest.Wait()
			w.Send(t, Abort(1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{}, func(t *testing.T, b *bubble) {
				send(t, b.connect())
				b.wantConnections(0, 0)
				w := b.connect()
				w.Send(t, Request(7, Keep, Get("publish=a"), ""))
				w.WantResponse(t, 7, http.StatusOK, "true")
				send(t, w)
				b.wantConnections(0, 0)
			})
		})
	}
}
