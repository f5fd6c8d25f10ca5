package reactor

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// startSubscriber sends a request that waits, and receives the beginning of a stream.
func (w *webServer) startSubscriber(t *testing.T, stream bool) {
	t.Helper()
	if !stream {
		w.Send(t, Request(1, Keep, Get("subscribed[a]=now"), ""))
		return
	}
	w.Send(t, Request(1, Keep, GetStream("subscribed[a]=now"), ""))
	w.WantStream(t, 1)
}

func forPollAndStream(t *testing.T, f func(t *testing.T, b *bubble, stream bool)) {
	t.Helper()
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprintf("stream: %v", stream), func(t *testing.T) {
			inBubble(t, Options{}, func(t *testing.T, b *bubble) { f(t, b, stream) })
		})
	}
}

func TestSubscriber_IsForgottenAtOnceIfTheWebServerGivesUp(t *testing.T) {
	for name, giveUp := range map[string]func(*testing.T, *webServer){
		"closed": func(_ *testing.T, w *webServer) { w.Close() }, // as nginx does when the browser leaves
		"aborted": func(t *testing.T, w *webServer) {
			w.Send(t, Abort(9)) // of another request
			synctest.Wait()
			w.Send(t, Abort(1))
			w.WantRefusal(t, 1, 0)
			w.Send(t, Request(2, 0, Get("publish=a"), ""))
			w.WantResponse(t, 2, http.StatusOK, "true")
		},
		"garbage": func(t *testing.T, w *webServer) {
			w.Send(t, []byte("GET / HTTP/1.1\r\n\r\n"))
			w.WantClosed(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			forPollAndStream(t, func(t *testing.T, b *bubble, stream bool) {
				w := b.connect()
				w.startSubscriber(t, stream)
				time.Sleep(7500 * time.Millisecond) // longer than request_timeout
				b.wantConnections(1, 1)
				begin := time.Now()
				giveUp(t, w)
				b.wantConnections(0, 0)
				wantAfter(t, "the connection was forgotten", begin, 0)
			})
		})
	}
}

func TestSubscriber_IsNotAnsweredIfItsResultArrivesAfterAnAbort(t *testing.T) {
	forPollAndStream(t, func(t *testing.T, b *bubble, stream bool) {
		w := b.connect()
		w.startSubscriber(t, stream)
		time.Sleep(1500 * time.Millisecond)
		b.publish("a", "")
		b.system.pause()
		w.Send(t, Abort(1))
		time.Sleep(time.Second) // The hub delivers the result.
		b.system.resume()
		w.WantRefusal(t, 1, 0)
		w.Send(t, Request(1, Keep, Get("subscribed[a]=1.0"), ""))
		w.WantResponse(t, 1, http.StatusOK, `{"s":1`)
	})
}

func TestSubscriber_IsAnsweredOnceIfAnAbortArrivesAfterItsResult(t *testing.T) {
	forPollAndStream(t, func(t *testing.T, b *bubble, stream bool) {
		w := b.connect()
		w.startSubscriber(t, stream)
		time.Sleep(1500 * time.Millisecond)
		b.publish("a", "")
		time.Sleep(time.Second)
		w.Send(t, Abort(1))
		if stream {
			w.ReceivePart(t, 1)
			w.WantRefusal(t, 1, 0)
		} else {
			w.WantResponse(t, 1, http.StatusOK, `{"s":1`)
		}
		w.Send(t, Request(1, Keep, Get("subscribed[a]=1.0"), ""))
		w.WantResponse(t, 1, http.StatusOK, `{"s":1`)
	})
}

func TestSubscriber_IsForgottenIfItsConnectionEndsBeforeItsResultArrives(t *testing.T) {
	forPollAndStream(t, func(t *testing.T, b *bubble, stream bool) {
		w := b.connect()
		w.startSubscriber(t, stream)
		time.Sleep(1500 * time.Millisecond)
		b.publish("a", "")
		b.system.pause()
		w.Close()
		time.Sleep(time.Second) // The hub delivers the result.
		b.system.resume()
		b.wantConnections(0, 0)
	})
}

func TestSubscriber_ThatIsAStreamIsParkedAndKeepsItsConnection(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		w := b.connect()
		w.startSubscriber(t, true)
		synctest.Wait()
		if n := b.Serving(); n != 0 {
			t.Errorf("%d requests are served outside the loop while the stream waits", n)
		}
		for range 3 {
			time.Sleep(1500 * time.Millisecond) // until after the next check
			b.publish("a", "")
			part := w.ReceivePart(t, 1)
			if !strings.HasPrefix(part, "event: a\ndata: {\"s\":1,\"k\":{\"a\":") || !strings.HasSuffix(part, "\n\n") {
				t.Errorf("received %q", part)
			}
		}
		begin := time.Now()
		wantComment := func() {
			t.Helper()
			if part := w.ReceivePart(t, 1); part != ":\n\n" {
				t.Errorf("received %q, want a comment", part)
			}
			wantAfter(t, "a comment was received", begin, 20*time.Second)
		}
		wantComment()
		b.endpoint.Drain()
		wantComment() // at once
		w.WantRecord(t, 6, 1, nil)
		w.WantRefusal(t, 1, 0)
		w.Send(t, Request(2, 0, Get("publish=a"), ""))
		w.WantResponse(t, 2, http.StatusOK, "true")
		w.WantClosed(t)
	})
}

func TestSubscriber_WaitsForRoomForALargeResult(t *testing.T) {
	inFullBubble(t, func(t *testing.T, b *bubble, slow *webServer) {
		var queued []*webServer
		for range 3 {
			w := b.connect()
			w.Send(t, largePoll(1, Keep))
			queued = append(queued, w)
		}
		stream := b.connect()
		stream.Send(t, Request(1, Keep, GetStream("subscribed[large]=1.0&data=1"), ""))
		b.wantQueued(4)
		begin := time.Now()
		slow.WantResponse(t, 1, http.StatusOK, "xxx")
		for i, w := range queued {
			b.wantQueued(3 - i) // Their order is kept.
			w.WantResponse(t, 1, http.StatusOK, "xxx")
		}
		b.wantQueued(0)
		wantAfter(t, "all were answered", begin, 0)
		for part := ""; !strings.HasSuffix(part, "\n\n") || !strings.Contains(part, "\nid: "); {
			part += stream.ReceivePart(t, 1)
		}
		b.wantConnections(4, 1)
	})
}

func TestSubscriber_IsAnsweredWhenASlowWebServerHasLostItsConnection(t *testing.T) {
	inFullBubble(t, func(t *testing.T, b *bubble, slow *webServer) {
		w := b.connect()
		begin := time.Now()
		w.Send(t, largePoll(1, Keep))
		w.WantResponse(t, 1, http.StatusOK, "xxx")
		wantAfter(t, "the poll was answered", begin, time.Second)
		if err := slow.awaitClose(); err != nil {
			t.Error(err)
		}
	})
}

func TestSubscriber_WaitsForRoomWhileOtherRecordsAreAnswered(t *testing.T) {
	inFullBubble(t, func(t *testing.T, b *bubble, slow *webServer) {
		w := b.connect()
		w.Send(t, largePoll(1, Keep))
		b.wantQueued(1)
		w.Send(t, GetValues())
		w.WantValues(t)
		b.wantQueued(1)
		slow.Close()
		w.WantResponse(t, 1, http.StatusOK, "xxx")
		w.Send(t, GetValues())
		w.WantValues(t)
	})
}

func TestSubscriber_IsForgottenWhileItWaitsForRoom(t *testing.T) {
	inFullBubble(t, func(t *testing.T, b *bubble, slow *webServer) {
		closed, aborted, last := b.connect(), b.connect(), b.connect()
		for i, w := range []*webServer{closed, aborted, last} {
			w.Send(t, largePoll(1, Keep))
			b.wantQueued(i + 1)
		}
		closed.Close()
		aborted.Send(t, Abort(1))
		aborted.WantRefusal(t, 1, 0)
		b.wantQueued(1)
		aborted.Send(t, largePoll(2, Keep))
		b.wantQueued(2)
		slow.Close()
		aborted.WantResponse(t, 2, http.StatusOK, "xxx")
		last.WantResponse(t, 1, http.StatusOK, "xxx")
		b.wantConnections(2, 0)
	})
}

func TestSubscriber_DoesNotWaitForRoomForASmallResult(t *testing.T) {
	inFullBubble(t, func(t *testing.T, b *bubble, _ *webServer) {
		const small = "subscribed[large]=1.0" // without data
		w := b.connect()
		w.Send(t, Request(1, Keep, Get(small), ""))
		w.WantResponse(t, 1, http.StatusOK, `{"s":1`)
		// The web server does not take the answer at once. If its client polls again, it gets it.
		w = b.connectWith(50)
		w.Send(t, Request(1, Keep, Get(small), ""))
		if err := w.awaitClose(); err != nil {
			t.Error(err)
		}
		wantBubbleLine(t, b, "max_buffered")
	})
}

func wantBubbleLine(t *testing.T, b *bubble, text string) {
	t.Helper()
	synctest.Wait()
	if !strings.Contains(b.log.String(), text) {
		t.Errorf("the log has no %q: %s", text, b.log)
	}
}

// No event is lost while a subscriber waits for room.
func TestSubscriber_IsAnsweredAsIfItHadNotWaitedForRoom(t *testing.T) {
	var many strings.Builder
	for i := range 900 {
		fmt.Fprintf(&many, "&subscribed[%d]=", i)
	}
	with := func(cursor string) string { return strings.ReplaceAll(many.String(), "=", "="+cursor) }
	const now = 946684801 // the second in which the poll arrives
	for name, test := range map[string]struct{ query, want string }{
		"a precise poll from now":         {"subscribed[b]=now&data=1", `"k":{"b":`},
		"a legacy poll, of a clock ahead": {with(fmt.Sprint(now + 2)), fmt.Sprintf(`"k":{"0":%d,`, now)},
		"an unchanged poll":               {"wait=1" + with("0.0"), `{"s":0`},
	} {
		t.Run(name, func(t *testing.T) {
			inFullBubble(t, func(t *testing.T, b *bubble, slow *webServer) {
				w := b.connect()
				w.Send(t, Request(1, Keep, Post(len(test.query)), test.query))
				synctest.Wait()
				if test.want != `{"s":0` {
					time.Sleep(500 * time.Millisecond)
					b.publish("b", strings.Repeat("x", largeSize))
					for i := range 900 {
						b.publish(fmt.Sprint(i), "")
					}
				}
				for synctest.Wait(); b.queued == 0; synctest.Wait() {
					slow.readSome(t)
					time.Sleep(100 * time.Millisecond)
				}
				begin := time.Now()
				time.Sleep(500 * time.Millisecond)
				slow.Close()
				w.WantResponse(t, 1, http.StatusOK, test.want)
				wantAfter(t, "the poll was answered", begin, 500*time.Millisecond)
			})
		})
	}
}

// readSome reads so little that the connection stays slow.
func (w *webServer) readSome(t *testing.T) {
	t.Helper()
	if _, err := w.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
}

func TestPop_KeepsNothingInMemory(t *testing.T) {
	all := []*conn{{fd: 1}, {fd: 2}}
	queue := all
	if c := pop(&queue); c.fd != 1 || len(queue) != 1 || queue[0].fd != 2 || all[0] != nil {
		t.Errorf("%v, %v, %v", c, queue, all)
	}
}
