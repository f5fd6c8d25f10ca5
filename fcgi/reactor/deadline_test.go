package reactor

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
	"novcomet/fcgi/fastcgi"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

func TestDeadline_ClosesAConnectionWhoseRequestIsNotCompleteInTime(t *testing.T) {
	request := Request(1, Keep, Get("subscribed[a]=now&wait=0"), "")
	wantClosedIn5s := func(t *testing.T, w *webServer, sent []byte) {
		t.Helper()
		begin := time.Now()
		w.Send(t, sent)
		w.WantClosed(t)
		wantAfter(t, "the connection was closed", begin, requestTimeout)
	}
	for _, length := range []int{0, 1, 7, 8, 16, 100, len(request) - 1} {
		inBubble(t, Options{}, func(t *testing.T, b *bubble) { wantClosedIn5s(t, b.connect(), request[:length]) })
	}
	for _, length := range []int{1, 16, 100} {
		inBubble(t, Options{}, func(t *testing.T, b *bubble) {
			w := b.connect()
			for range 3 {
				w.Send(t, request)
				w.WantResponse(t, 1, http.StatusOK, `{"s":0`)
				time.Sleep(time.Hour) // Between two requests there is no limit.
			}
			wantClosedIn5s(t, w, request[:length])
		})
	}
}

func TestDeadline_IsThatOfTheWholeRequest(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		w := b.connect()
		begin := time.Now()
		var sending sync.WaitGroup
		sending.Go(func() {
			for _, sent := range Request(1, Keep, Get("subscribed[a]=now&wait=0"), "") {
				if _, err := w.Write([]byte{sent}); err != nil {
					return
				}
				time.Sleep(300 * time.Millisecond)
			}
		})
		w.WantClosed(t)
		wantAfter(t, "the connection was closed", begin, requestTimeout)
		sending.Wait()
	})
}

// The web server may send a part of its next request before it has the answer to this one.
func TestDeadline_BeginsAgainAfterAnAnswerIfThereIsAPartOfARecord(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		w := b.connect()
		w.Send(t, Request(1, Keep, Get("subscribed[a]=now"), ""), Begin(2, 1, 0)[:10])
		w.WantResponse(t, 1, http.StatusOK, `{"s":0`)
		begin := time.Now()
		w.WantClosed(t)
		wantAfter(t, "the connection was closed", begin, requestTimeout)
	})
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		w := b.connect()
		next := Request(2, 0, Get("publish=a"), "")
		w.Send(t, Request(1, Keep, Get("subscribed[a]=now"), ""), next[:10])
		w.WantResponse(t, 1, http.StatusOK, `{"s":0`)
		time.Sleep(requestTimeout - 1)
		w.Send(t, next[10:])
		w.WantResponse(t, 2, http.StatusOK, "true")
		w.WantClosed(t)
	})
}

// If a record was sent only in part, no answer can follow. So the connection must be closed.
func TestDeadline_ClosesAConnectionWhoseWebServerReadsNothing(t *testing.T) {
	for name, test := range map[string]struct {
		variables map[string]string
		after     time.Duration
	}{
		"a publication":             {Get("publish=b"), requestTimeout},
		"a poll":                    {Get("subscribed[a]=1.0"), requestTimeout},
		"the beginning of a stream": {GetStream("subscribed[a]=now"), core.StreamWriteTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{}, func(t *testing.T, b *bubble) {
				b.publish("a", "")
				time.Sleep(time.Second)
				w := b.connectWith(100)
				begin := time.Now()
				w.Send(t, Request(1, Keep, test.variables, ""))
				wantClosedAfter(t, w, begin, test.after)
			})
		})
	}
	t.Run("a part of a stream", func(t *testing.T) {
		inBubble(t, Options{}, func(t *testing.T, b *bubble) {
			w := b.connectWith(100)
			w.Send(t, Request(1, Keep, GetStream("subscribed[a]=now"), ""))
			w.WantStream(t, 1)
			time.Sleep(1500 * time.Millisecond)
			b.publish("a", strings.Repeat("x", 200))
			const check = 500 * time.Millisecond // until the publication is seen
			wantClosedAfter(t, w, time.Now(), core.StreamWriteTimeout+check)
		})
	})
}

// The answer to another record is unsent when the poll begins to wait.
func TestDeadline_GoesOnWhenARequestBeginsToWait(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		opened := make(chan struct{})
		b.service.open = func(r *fastcgi.Request) {
			if r.Variables[blocks] == "again" {
				<-opened
			}
			r.Variables[blocks] += "again"
		}
		w := b.connectWith(20)
		w.Send(t, Request(1, Keep, Get("subscribed[a]=now"), ""))
		synctest.Wait()
		begin := time.Now()
		w.Send(t, GetValues())
		synctest.Wait()
		if c := b.conns[w.fd]; c.state != working || c.unsent == nil {
			t.Fatalf("%+v", c)
		}
		time.Sleep(time.Second)
		close(opened)
		b.wantConnections(1, 1)
		wantClosedAfter(t, w, begin, requestTimeout)
	})
}

// The loop is late, and wake takes one of the places for events.
func TestDeadline_ClosesNoConnectionWhoseBytesWait(t *testing.T) {
	const connections = 600 // more than the loop handles at once
	inBubble(t, Options{MaxConnections: connections + 1}, func(t *testing.T, b *bubble) {
		request := Request(1, 0, Get("subscribed[a]=now&wait=0"), "")
		var all []*webServer
		for range connections {
			w := b.connect()
			w.Send(t, request[:40])
			all = append(all, w)
		}
		synctest.Wait()
		b.system.pause()
		time.Sleep(requestTimeout)
		for _, w := range all {
			w.Send(t, request[40:])
		}
		b.system.wake()
		b.system.resume()
		for _, w := range all {
			w.WantResponse(t, 1, http.StatusOK, `{"s":0`)
		}
	})
}

func wantClosedAfter(t *testing.T, w *webServer, begin time.Time, want time.Duration) {
	t.Helper()
	if err := w.awaitClose(); err != nil {
		t.Error(err)
	}
	wantAfter(t, "the connection was closed", begin, want)
	if _, err := w.Write([]byte{1}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the connection is open: %v", err)
	}
}

func TestDeadline_LetsASlowReaderGetEverything(t *testing.T) {
	const size, part, bufferSize = 1 << 20, 64 << 10, 256 << 10
	for name, test := range map[string]struct {
		pause    time.Duration // between two reads of a part
		queued   bool
		complete bool
	}{
		"slow":                       {4900 * time.Millisecond, false, true},
		"too slow":                   {5100 * time.Millisecond, false, false},
		"slow while others wait":     {900 * time.Millisecond, true, true},
		"too slow while others wait": {1100 * time.Millisecond, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{MaxBuffered: size / 2}, func(t *testing.T, b *bubble) {
				b.publish("large", strings.Repeat("x", size-10))
				poll := Request(1, 0, Get("subscribed[large]=1.0&data=1"), "")
				slow := b.connectWith(bufferSize)
				slow.Send(t, poll)
				if test.queued {
					b.connect().Send(t, poll)
				}
				received, buffer := 0, make([]byte, part)
				for {
					time.Sleep(test.pause)
					n, err := io.ReadFull(slow, buffer)
					received += n
					if err != nil {
						break
					}
				}
				if complete := received > size; complete != test.complete {
					t.Errorf("%d bytes were received", received)
				}
			})
		})
	}
}
