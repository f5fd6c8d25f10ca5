package reactor

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core/access"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

const frameOverhead = 1000 // bytes, of headers, cursors and records

// publishAtOnce publishes an event. The loop gets all results at the same time.
func (b *bubble) publishAtOnce(name, data string) {
	b.t.Helper()
	b.publish(name, data)
	b.system.pause()
	time.Sleep(time.Second)
	b.system.resume()
	synctest.Wait()
}

func TestFrame_WithTheSameContentIsCountedOnce(t *testing.T) {
	const size = 50_000
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		origins, err := access.ParseOrigins([]string{"https://a.example", "https://b.example"})
		if err != nil {
			t.Fatal(err)
		}
		b.service.location.Access.Origins = origins
		poll := func(id uint16, namesAndValues ...string) []byte {
			return Request(id, Keep, With(Get("subscribed[a]=now&data=1"), namesAndValues...), "")
		}
		const origin = "HTTP_ORIGIN"
		requests := [][]byte{
			poll(1), poll(1), poll(1),
			poll(2),
			poll(1, origin, "https://a.example"), poll(1, origin, "https://a.example"),
			poll(1, origin, "https://b.example"),
		}
		wantHeader := []string{"", "", "", "", "https://a.example", "https://a.example", "https://b.example"}
		const different = 4
		var all []*webServer
		for _, request := range requests {
			w := b.connectWith(1000)
			w.Send(t, request)
			all = append(all, w)
		}
		time.Sleep(1500 * time.Millisecond)
		b.publishAtOnce("a", strings.Repeat("x", size))
		if n := b.buffered(); n < different*size || n > different*(size+frameOverhead) {
			t.Errorf("%d bytes are buffered, want those of %d frames", n, different)
		}
		for i, w := range all {
			id := uint16(1)
			if i == 3 {
				id = 2
			}
			r, err := w.Response(id)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Count(r.Body, "x") != size || r.Header.Get("Access-Control-Allow-Origin") != wantHeader[i] {
				t.Errorf("poll %d: %d bytes, %v", i, len(r.Body), r.Header)
			}
		}
		b.wantBuffered(0)
		b.wantConnections(len(all), 0)
	})
}

func TestFrame_ThatIsHeldAlreadyIsSharedBeyondMaxBuffered(t *testing.T) {
	const size = 50_000
	inBubble(t, Options{MaxBuffered: size / 2}, func(t *testing.T, b *bubble) {
		var all []*webServer
		for range 3 {
			w := b.connectWith(1000)
			w.Send(t, Request(1, 0, Get("subscribed[a]=now&data=1"), ""))
			all = append(all, w)
		}
		time.Sleep(1500 * time.Millisecond)
		b.publishAtOnce("a", strings.Repeat("x", size))
		if n := b.buffered(); n < size || n > size+frameOverhead {
			t.Errorf("%d bytes are buffered, want those of one frame", n)
		}
		for _, w := range all {
			w.WantResponse(t, 1, http.StatusOK, "xxx")
		}
	})
}

// The connections of a frame may end in any order and in any way.
func TestFrame_IsCountedAsLongAsItIsUnsent(t *testing.T) {
	const size = 50_000
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		var all []*webServer
		for range 3 {
			w := b.connectWith(1000)
			w.Send(t, Request(1, 0, GetStream("subscribed[a]=now&data=1"), ""))
			w.WantStream(t, 1)
			all = append(all, w)
		}
		time.Sleep(1500 * time.Millisecond)
		b.publishAtOnce("a", strings.Repeat("x", size))
		wantBuffered := func(least int) {
			t.Helper()
			synctest.Wait()
			if n := b.buffered(); n < least || n > least+frameOverhead {
				t.Errorf("%d bytes are buffered, want %d", n, least)
			}
		}
		wantBuffered(size)
		all[0].Close()
		wantBuffered(size)
		for part := ""; !strings.HasSuffix(part, "\n\n"); {
			part = all[1].ReceivePart(t, 1)
		}
		wantBuffered(size)
		if err := all[2].awaitClose(); err != nil { // It reads nothing.
			t.Error(err)
		}
		b.wantBuffered(0)
		b.wantConnections(1, 1)
	})
}

func TestFrame_OfManyRecordsArrivesWhole(t *testing.T) {
	for _, stream := range []bool{false, true} {
		for _, size := range []int{1, 65_000, 65_535, 65_536, 200_000, 500_000} {
			inBubble(t, Options{}, func(t *testing.T, b *bubble) {
				w := b.connectWith(10_000)
				variables := Get("subscribed[a]=1.0&data=1")
				if stream {
					variables = With(variables, "HTTP_ACCEPT", "text/event-stream")
				}
				b.publish("a", strings.Repeat("x", size))
				time.Sleep(time.Second)
				w.Send(t, Request(1, 0, variables, ""))
				var all string
				for end := "}"; !strings.HasSuffix(all, end); {
					if stream {
						end = "\n\n"
					}
					all += w.ReceivePart(t, 1)
					if stream && !strings.Contains(all, "data: ") {
						all += "." // That was the end of the beginning.
					}
				}
				header, _, _ := strings.Cut(all, "\r\n\r\n")
				if got := strings.Count(all[len(header):], "x"); got != size {
					t.Errorf("stream: %v: %d of %d bytes arrived", stream, got, size)
				}
				if !stream {
					w.WantRecord(t, 6, 1, nil)
					w.WantRefusal(t, 1, 0)
					w.WantClosed(t)
				}
			})
		}
	}
}

// A web server that reads nothing must not cause more answers.
func TestFrame_ThatIsUnsentStopsRequests(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		const n, answer = 10_000, 16
		w := b.connectWith(1000)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			_, _ = w.Write(bytes.Repeat(Record(77, 0, nil, 0), n))
		}()
		synctest.Wait()
		if b.unsent > answer || b.received > 1000 {
			t.Errorf("%d bytes are unsent, %d received", b.unsent, b.received)
		}
		for range n {
			w.WantRecord(t, 11, 0, []byte{77, 0, 0, 0, 0, 0, 0, 0})
		}
		<-sent
		b.wantBuffered(0)
	})
}

func TestFrame_IsFollowedByTheAnswerToTheRequest(t *testing.T) {
	forPollAndStream(t, func(t *testing.T, b *bubble, stream bool) {
		w := b.connectWith(250)
		w.startSubscriber(t, stream)
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		const n = 50
		for range n {
			if _, err := w.Write(GetValues()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if b.conns[0].unsent != nil {
				break
			}
		}
		if b.conns[0].unsent == nil || !b.conns[0].inHub {
			t.Fatal("everything was sent")
		}
		b.publish("a", "")
		time.Sleep(time.Second)
		values := 0
		for {
			kind, _, _, err := w.Receive()
			if err != nil {
				t.Fatal(err)
			}
			if kind != 10 {
				break
			}
			values++
		}
		if values < 2 {
			t.Errorf("%d answers came before the record", values)
		}
		if stream {
			w.Send(t, Abort(1))
		}
		w.WantRefusal(t, 1, 0)
	})
}

func TestFrame_IsNotKeptBeyondMaxBuffered(t *testing.T) {
	inFullBubble(t, func(t *testing.T, b *bubble, _ *webServer) {
		for name, request := range map[string][]byte{
			"values":   bytes.Repeat(GetValues(), 10),
			"a role":   Begin(1, 2, Keep),
			"a stream": Request(1, Keep, GetStream("subscribed[a]=now"), ""),
			"an error": Request(1, Keep, Get(""), ""),
		} {
			synctest.Wait()
			before, begin := b.buffered(), time.Now()
			w := b.connectWith(10)
			go w.Write(request)
			if err := w.awaitClose(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			wantAfter(t, name+": the connection was closed", begin, 0)
			b.wantBuffered(before)
			taken := b.connect()
			taken.Send(t, request)
			if _, _, _, err := taken.Receive(); err != nil {
				t.Errorf("%s: a web server that takes the answer got %v", name, err)
			}
			taken.Close()
		}
		wantBubbleLine(t, b, `level=WARN msg="a connection was closed"`)
		wantBubbleLine(t, b, "max_buffered")
	})
}

// A slow reader costs the memory of one part.
func TestFrame_OfASlowStreamIsFollowedByTheLatestState(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		const size = 100_000
		w := b.connectWith(1000)
		w.Send(t, Request(1, Keep, GetStream("subscribed[a]=now&data=1"), ""))
		w.WantStream(t, 1)
		for _, letter := range []string{"w", "x", "y", "z"} {
			b.publish("a", strings.Repeat(letter, size))
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if b.buffered() > size+1000 {
				t.Errorf("%d bytes are buffered", b.buffered())
			}
		}
		for _, letter := range []string{"w", "z"} {
			part := ""
			for !strings.HasSuffix(part, "\n\n") {
				part += w.ReceivePart(t, 1)
			}
			if !strings.Contains(part, strings.Repeat(letter, size)) {
				t.Errorf("received %.200q, want %q", part, letter)
			}
		}
	})
}
