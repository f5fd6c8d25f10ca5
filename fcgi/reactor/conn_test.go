package reactor

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// clientStates bring a connection into each of its states.
var clientStates = map[string]struct {
	size  int // of the socket's buffers
	reach func(t *testing.T, b *bubble, w *webServer)
	want  func(c *conn) bool
}{
	"new": {
		socketSize, func(*testing.T, *bubble, *webServer) {},
		func(c *conn) bool { return c.state == reading && c.partial == nil && c.request == nil },
	},
	"idle": {
		socketSize, func(t *testing.T, _ *bubble, w *webServer) {
			w.Send(t, Request(1, Keep, Get("publish=a"), ""))
			w.WantResponse(t, 1, http.StatusOK, "true")
		},
		func(c *conn) bool { return c.state == idle },
	},
	"a part of a header": {
		socketSize, func(t *testing.T, _ *bubble, w *webServer) { w.Send(t, Begin(1, 1, 0)[:5]) },
		func(c *conn) bool { return c.state == reading && len(c.partial) == 5 && c.request == nil },
	},
	"a part of the variables": {
		socketSize, func(t *testing.T, _ *bubble, w *webServer) {
			w.Send(t, Begin(1, 1, 0), Record(4, 1, Pair("NAME", "value"), 0), Record(4, 1, Pair("NAME", "value"), 0)[:10])
		},
		func(c *conn) bool { return c.state == reading && c.content.Content > 0 && c.request.Size() > 0 },
	},
	"a part of the body": {
		socketSize, func(t *testing.T, _ *bubble, w *webServer) {
			w.Send(t, Begin(1, 1, 0), Stream(4, 1, Pairs(Post(10)), 0), Record(5, 1, []byte("publish"), 0))
		},
		func(c *conn) bool { return c.state == reading && len(c.request.Body) == len("publish") },
	},
	"a poll waits": {
		socketSize, func(t *testing.T, _ *bubble, w *webServer) { w.startSubscriber(t, false) },
		func(c *conn) bool { return c.state == waiting && c.inHub && c.unsent == nil },
	},
	"a poll waits, and a part of a record is there": {
		socketSize, func(t *testing.T, _ *bubble, w *webServer) {
			w.startSubscriber(t, false)
			w.Send(t, Abort(1)[:7])
		},
		func(c *conn) bool { return c.state == waiting && c.inHub && len(c.partial) == 7 },
	},
	"a stream waits": {
		socketSize, func(t *testing.T, _ *bubble, w *webServer) { w.startSubscriber(t, true) },
		func(c *conn) bool { return c.state == waiting && c.inHub && c.unsent == nil },
	},
	"the beginning of a stream is unsent": {
		100, func(t *testing.T, _ *bubble, w *webServer) {
			w.Send(t, Request(1, Keep, GetStream("subscribed[a]=now"), ""))
		},
		func(c *conn) bool { return c.state == waiting && !c.inHub && c.unsent != nil },
	},
	"a part of a stream is unsent": {
		100, func(t *testing.T, b *bubble, w *webServer) {
			w.startSubscriber(t, true)
			time.Sleep(1500 * time.Millisecond)
			b.publish("a", "")
			time.Sleep(time.Second)
		},
		func(c *conn) bool { return c.state == waiting && !c.inHub && c.unsent != nil && c.sent > 0 },
	},
	"an answer is unsent": {
		100, func(t *testing.T, _ *bubble, w *webServer) { w.Send(t, Request(1, Keep, Get("publish=a"), "")) },
		func(c *conn) bool { return c.state == ending && c.unsent != nil },
	},
	"another answer is unsent while a poll waits": {
		20, func(t *testing.T, _ *bubble, w *webServer) {
			w.startSubscriber(t, false)
			w.Send(t, GetValues(), GetValues())
		},
		func(c *conn) bool { return c.state == waiting && c.inHub && c.unsent != nil },
	},
	"a publication waits for the store": {
		socketSize, func(t *testing.T, b *bubble, w *webServer) {
			release := make(chan struct{})
			b.store.publish = func() { <-release }
			time.AfterFunc(time.Hour, func() { close(release) })
			w.Send(t, Request(1, Keep, Get("publish=a"), ""))
		},
		func(c *conn) bool { return c.state == working },
	},
	"a publication waits for other publications": {
		socketSize, func(t *testing.T, b *bubble, w *webServer) {
			release := make(chan struct{})
			b.store.publish = func() { <-release }
			time.AfterFunc(time.Hour, func() { close(release) })
			for range 4 {
				b.connect().Send(t, Request(1, Keep, Get("publish=a"), ""))
			}
			synctest.Wait()
			const form = "publish=a"
			w.Send(t, Request(1, Keep, Post(len(form)), form))
		},
		func(c *conn) bool { return c.state == working && len(c.reactor.jobs.publications) == 1 },
	},
	"a poll waits for room": {
		socketSize, func(t *testing.T, b *bubble, w *webServer) {
			b.options.MaxBuffered = 1
			b.publish("large", strings.Repeat("x", largeSize))
			time.Sleep(time.Second)
			b.connect().Send(t, largePoll(1, 0))
			synctest.Wait()
			w.Send(t, largePoll(1, 0))
		},
		func(c *conn) bool { return c.state == waiting && !c.inHub && c.roomNeeded > 0 },
	},
}

// inEachState runs a test with the first connection of a bubble in each state.
func inEachState(t *testing.T, f func(t *testing.T, b *bubble, w *webServer)) {
	t.Helper()
	for name, state := range clientStates {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{}, func(t *testing.T, b *bubble) {
				w := b.connectWith(state.size)
				state.reach(t, b, w)
				synctest.Wait()
				if c := b.conns[0]; c == nil || !state.want(c) {
					t.Fatalf("the connection is not in this state: %+v", c)
				}
				f(t, b, w)
			})
		})
	}
}

func TestConn_IsForgottenAtOnceInEachStateIfTheWebServerCloses(t *testing.T) {
	inEachState(t, func(t *testing.T, b *bubble, w *webServer) {
		connections := b.Connections()
		w.Close()
		synctest.Wait()
		if n := b.Connections(); n != connections-1 || b.conns[0] != nil {
			t.Errorf("%d connections, want %d", n, connections-1)
		}
	})
}

// The other connection has the same descriptor.
func TestConn_IsForgottenInEachStateWithoutHarmToTheNextOne(t *testing.T) {
	inEachState(t, func(t *testing.T, b *bubble, w *webServer) {
		old := b.conns[0].generation
		b.system.pause()
		b.system.report(readiness{fd: 0, generation: old, gone: true})
		w.Close()
		var next *webServer
		b.system.closing = func(fd int32) {
			if fd == 0 && next == nil {
				next = b.acceptWith(socketSize)
				b.system.report(
					readiness{fd: 0, generation: old, gone: true}, readiness{fd: 0, generation: old, write: true})
			}
		}
		b.system.resume()
		synctest.Wait()
		if next == nil || next.fd != 0 {
			t.Fatal("the descriptor was not used again")
		}
		next.Send(t, Request(7, Keep, Get("subscribed[next]=now"), ""))
		b.publish("next", "")
		time.Sleep(2 * time.Hour) // Publications that wait for the store end.
		next.WantResponse(t, 7, http.StatusOK, `{"s":`)
		next.Send(t, Request(8, 0, Get("subscribed[next]=1.0"), ""))
		next.WantResponse(t, 8, http.StatusOK, `{"s":1`)
		next.WantClosed(t)
	})
}

func TestConn_ServesOneRequestAfterAnother(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		w := b.connect()
		for i := range 100 {
			id := uint16(1 + i%3)
			w.Send(t, Request(id, Keep, Get("publish=kept"), ""))
			w.WantResponse(t, id, http.StatusOK, "true")
			w.Send(t, Request(id, Keep, Get("subscribed[kept]=1.0"), ""))
			w.WantResponse(t, id, http.StatusOK, `{"s":1`)
		}
		w.Send(t, Request(1, 0, Get("publish=kept"), ""))
		w.WantResponse(t, 1, http.StatusOK, "true")
		w.WantClosed(t)
	})
}

// What is unsent is sent first.
func TestConn_IsClosedIfTheWebServerSendsNothingMore(t *testing.T) {
	inEachState(t, func(t *testing.T, b *bubble, w *webServer) {
		begin, hasUnsent := time.Now(), b.conns[0].unsent != nil
		if err := w.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if w.isClosed() == hasUnsent {
			t.Errorf("the connection is closed: %v", w.isClosed())
		}
		if n, err := io.Copy(io.Discard, w); n > 0 != hasUnsent || err != nil {
			t.Errorf("%d bytes were received, %v", n, err)
		}
		wantAfter(t, "the connection was closed", begin, 0)
	})
}
