package reactor

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/fcgi/fastcgi"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

func TestReactor_StopAnswersRequestsAndClosesConnections(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		waiting, idle, late, incomplete := b.connect(), b.connect(), b.connect(), b.connect()
		request := Request(1, Keep, Get("subscribed[a]=now"), "")
		waiting.Send(t, request)
		idle.Send(t, Request(1, Keep, Get("publish=b"), ""))
		idle.WantResponse(t, 1, http.StatusOK, "true")
		late.Send(t, request[:40])
		incomplete.Send(t, request[:40])
		synctest.Wait()

		begin := time.Now()
		b.endpoint.Drain()
		b.Stop()
		waiting.WantResponse(t, 1, http.StatusOK, `{"s":0`)
		waiting.WantClosed(t)
		idle.WantClosed(t)
		wantAfter(t, "the poll was answered and the idle connection closed", begin, 0)
		time.Sleep(time.Second)
		late.Send(t, request[40:])
		late.WantResponse(t, 1, http.StatusOK, `{"s":0`)
		late.WantClosed(t)
		wantAfter(t, "the late poll was answered", begin, time.Second)
		time.Sleep(time.Second)
		b.wantConnections(1, 0)
		b.Close()
		incomplete.WantClosed(t)
		<-b.ended
		wantAfter(t, "the reactor ended", begin, 2*time.Second)
	})
}

// A request that arrives at the same time as Stop is not lost.
func TestReactor_StopServesWhatHasArrived(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		w := b.connect()
		w.Send(t, Request(1, Keep, Get("publish=a"), ""))
		w.WantResponse(t, 1, http.StatusOK, "true")
		b.system.pause()
		b.Stop()
		w.Send(t, Request(2, Keep, Get("publish=a"), ""))
		accepted := b.acceptWith(socketSize)
		accepted.Send(t, Request(1, Keep, Get("publish=a"), ""))
		b.system.resume()
		w.WantResponse(t, 2, http.StatusOK, "true")
		w.WantClosed(t)
		accepted.WantResponse(t, 1, http.StatusOK, "true")
		accepted.WantClosed(t)
		<-b.ended
	})
}

// The loop sees Stop before it sees the request.
func TestReactor_StopReadsIdleConnectionsOnceMore(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		var all []*webServer
		for range 3 {
			w := b.connect()
			w.Send(t, Request(1, Keep, Get("publish=a"), ""))
			w.WantResponse(t, 1, http.StatusOK, "true")
			all = append(all, w)
		}
		b.system.pause()
		b.system.most = 1
		for _, w := range all {
			w.Send(t, Request(2, Keep, Get("publish=a"), ""))
		}
		b.Stop()
		b.system.resume()
		for _, w := range all {
			w.WantResponse(t, 2, http.StatusOK, "true")
			w.WantClosed(t)
		}
		<-b.ended
	})
}

func TestReactor_IgnoresEventsOfAnEarlierConnectionWithTheSameDescriptor(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		first := b.connect()
		old := readiness{fd: first.fd, generation: b.conns[first.fd].generation, gone: true}
		first.Close()
		synctest.Wait()
		second := b.connectWith(100)
		second.Send(t, Request(1, Keep, Get("publish=a"), ""))
		synctest.Wait()
		if c := b.conns[old.fd]; second.fd != first.fd || c.unsent == nil {
			t.Fatalf("%+v", c)
		}
		b.system.report(old, old)
		synctest.Wait()
		second.WantResponse(t, 1, http.StatusOK, "true")
		b.wantConnections(1, 0)
	})
}

func TestReactor_StopWaitsForSlowAndQueuedAnswers(t *testing.T) {
	inFullBubble(t, func(t *testing.T, b *bubble, slow *webServer) {
		w := b.connect()
		w.Send(t, largePoll(1, Keep))
		b.wantQueued(1)
		b.Stop()
		slow.WantResponse(t, 1, http.StatusOK, "xxx")
		w.WantResponse(t, 1, http.StatusOK, "xxx")
		begin := time.Now()
		w.WantClosed(t)
		<-b.ended
		wantAfter(t, "the reactor ended", begin, 0)
	})
}

func TestReactor_StopWaitsForPublications(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		unblock := make(chan struct{})
		b.store.publish = func() { <-unblock }
		w := b.connect()
		w.Send(t, Request(1, Keep, Get("publish=a"), ""))
		synctest.Wait()
		b.Stop()
		w.Close()
		b.wantConnections(0, 0)
		select {
		case <-b.ended:
			t.Error("the reactor has ended before the publication")
		default:
		}
		close(unblock)
		<-b.ended
	})
}

func TestReactor_CloseClosesConnectionsInEachState(t *testing.T) {
	inEachState(t, func(t *testing.T, b *bubble, w *webServer) {
		b.system.pause()
		b.acceptWith(socketSize) // It is accepted, but the loop has not seen it.
		b.Close()
		b.system.resume()
		<-b.ended
		for _, w := range b.ends {
			if _, err := io.Copy(io.Discard, w); err != nil {
				t.Error(err)
			}
		}
		b.received = 0 // Close does not wait for publications.
		b.jobs.running = 0
		time.Sleep(2 * time.Hour) // Publications that wait for the store end.
	})
}

func TestReactor_APanicCostsOneConnection(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		other := b.connect()
		other.startSubscriber(t, false)
		b.wantConnections(1, 1)
		b.panics = 2
		for _, variables := range []map[string]string{Get("subscribed[panic]=now"), Post(4)} {
			b.service.open = func(*fastcgi.Request) { panic("a fault in the service") }
			w := b.connect()
			w.Send(t, Request(1, Keep, variables, "form"))
			w.WantClosed(t)
		}
		b.service.open = nil
		b.wantBuffered(0)
		b.wantConnections(1, 1)
		other.WantResponse(t, 1, http.StatusOK, `{"s":0`)
		wantBubbleLine(t, b, "a fault in the service")
		wantBubbleLine(t, b, "reactor_test.go")
	})
}

func TestReactor_CountsItsConnectionsAndRequests(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		unblock := make(chan struct{})
		b.store.publish = func() { <-unblock }
		for i := range 3 {
			w := b.connect()
			w.startSubscriber(t, i%2 == 0)
		}
		publisher := b.connect()
		publisher.Send(t, Request(1, Keep, Get("publish=a"), ""))
		b.connect()
		b.wantConnections(5, 3)
		if n := b.Serving(); n != 1 {
			t.Errorf("%d requests are being served, want 1", n)
		}
		close(unblock)
		publisher.WantResponse(t, 1, http.StatusOK, "true")
		synctest.Wait()
		if n := b.Serving(); n != 0 {
			t.Errorf("%d requests are being served, want 0", n)
		}
	})
}

// Web servers keep idle connections for as long as they like.
func TestReactor_ClosesAnIdleConnectionForAnother(t *testing.T) {
	inBubble(t, Options{MaxConnections: 2}, func(t *testing.T, b *bubble) {
		request := Request(1, Keep, Get("publish=a"), "")
		first := b.connect()
		first.Send(t, request)
		first.WantResponse(t, 1, http.StatusOK, "true")
		second := b.connect() // It takes the last place.
		first.WantClosed(t)
		third := b.connect()
		second.Send(t, request)
		second.WantResponse(t, 1, http.StatusOK, "true")
		second.WantClosed(t)
		third.Send(t, request)
		third.WantResponse(t, 1, http.StatusOK, "true")
		third.Send(t, request) // There is a place again.
		third.WantResponse(t, 1, http.StatusOK, "true")
	})
}
