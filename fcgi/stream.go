package main

import (
	"errors"
	"net/http"
	"os"
	"sync"

	"novcomet/core"
	"novcomet/fcgi/fastcgi"
)

// streaming is a stream on its connection. It is parked like a poll: net/http/fcgi writes its header and first bytes, and
// holds none of its buffers for as long as the stream lasts. What comes later has no header, so it goes straight into records.
type streaming struct {
	server *server
	*connection
	id     uint16
	keep   bool
	users  *users // of its policy
	source *core.Stream

	mu    sync.Mutex // held while a part is being sent; protects the following
	leave func() bool
	over  bool // nothing is to be sent any more
	ended bool // the last part has been sent
}

// stream begins a stream on its connection. When it has ended, it leaves the users of its policy.
func (s *server) stream(c *connection, r *request, source *core.Stream, u *users) {
	st := &streaming{server: s, connection: c, id: r.id, keep: r.keep, users: u, source: source}
	s.parked.Add(1)
	begin := func(w http.ResponseWriter, _ *http.Request) { source.Begin(w) }
	c.write(fastcgi.WithoutEnd(s.responders.respond(r.id, http.HandlerFunc(begin))))
	c.release()
	st.mu.Lock()
	st.leave = source.Next(st.wake)
	st.mu.Unlock()
	c.rest(st.stir)
}

// wake is called when there is something to send.
func (st *streaming) wake(part core.StreamPart) { go st.send(part) }

// send sends a part. The next one is only asked for when that has been taken: a slow reader costs the memory of one, and is told
// of the latest state of each event then.
func (st *streaming) send(part core.StreamPart) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.over {
		return
	}
	defer st.server.responders.room(part.Size())()
	records := fastcgi.AppendStdout(nil, st.id, part.Append(nil))
	if part.Last() {
		st.over, st.ended = true, true
	}
	st.server.memory.worked()
	st.writeWithin(records, core.StreamPatience, st.server.responders.othersWait)
	if st.ended {
		st.interrupt()
	} else {
		st.leave = st.source.Next(st.wake)
	}
}

// stir goes on when something came in, or the stream has ended.
func (st *streaming) stir(err error) {
	st.server.parked.Add(-1)
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		err = st.watch(st.id, func(error) { st.interrupt() })
	}
	st.mu.Lock()
	st.over = true
	leave, ended := st.leave, st.ended
	st.mu.Unlock()
	leave()
	st.source.End()
	st.users.leave()
	gone := err != nil && !errors.Is(err, errTorn)
	if !gone {
		// Only now, because the web server may send its next request at once, and watch would refuse it.
		var end []byte
		if ended {
			end = fastcgi.AppendRecord(nil, fastcgi.Stdout, st.id, nil)
		}
		st.write(fastcgi.AppendEnd(end, st.id, fastcgi.RequestComplete))
	}
	st.server.memory.worked()
	st.server.proceed(st.connection, err == nil && st.keep)
}
