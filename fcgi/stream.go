package main

import (
	"errors"
	"net/http"
	"os"
	"sync"

	"novcomet/core"
	"novcomet/core/hub"
	"novcomet/fcgi/fastcgi"
)

// streaming is a stream on its connection. It is parked like a poll: net/http/fcgi writes the header and the
// first bytes, and then none of its buffers is in use. Later parts have no header, so they are written into
// records directly.
type streaming struct {
	server *server
	*connection
	id     uint16
	keep   bool
	source *core.Subscriber

	mu    sync.Mutex // held while a part is being sent; protects the following
	over  bool       // No more parts are sent.
	ended bool       // The last part was sent.
}

// stream begins a stream on its connection.
func (s *server) stream(c *connection, r *request, source *core.Subscriber) {
	st := &streaming{server: s, connection: c, id: r.id, keep: r.keep, source: source}
	s.parked.Add(1)
	begin := func(w http.ResponseWriter, _ *http.Request) {
		preamble := source.Open(w.Header())
		_, _ = w.Write(preamble)
	}
	c.write(fastcgi.WithoutEnd(s.responders.respond(r.id, http.HandlerFunc(begin))))
	c.release()
	source.Wait(st)
	c.rest(st.stir)
}

// Deliver is called by the hub when there is something to send.
func (st *streaming) Deliver(result *hub.Result) { go st.send(result) }

// send sends a part. The stream waits for the next one only when the web server has read this one. So a slow
// reader costs the memory of one part, and then gets the latest state of each event.
func (st *streaming) send(result *hub.Result) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.over {
		return
	}
	defer st.server.responders.acquireFor(result.Size())()
	body, last := st.source.Part(result)
	records := fastcgi.AppendStdout(nil, st.id, body)
	if last {
		st.over, st.ended = true, true
	}
	st.server.memory.note()
	st.writeWithin(records, core.StreamWriteTimeout, st.server.responders.contended)
	if st.ended {
		st.interrupt()
	} else {
		st.source.Wait(st)
	}
}

// stir continues when data has arrived on the connection, or the stream has ended.
func (st *streaming) stir(err error) {
	st.server.parked.Add(-1)
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		err = st.watch(st.id, func(error) { st.interrupt() })
	}
	st.mu.Lock()
	st.over = true
	ended := st.ended
	st.mu.Unlock()
	st.source.Cancel()
	st.source.Close()
	gone := err != nil && !errors.Is(err, errTorn)
	if !gone {
		// Only now, because the web server may send its next request at once, and watch would refuse it.
		var end []byte
		if ended {
			end = fastcgi.AppendRecord(nil, fastcgi.Stdout, st.id, nil)
		}
		st.write(fastcgi.AppendEnd(end, st.id, fastcgi.RequestComplete))
	}
	st.server.memory.note()
	st.server.proceed(st.connection, err == nil && st.keep)
}
