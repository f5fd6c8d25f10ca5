package reactor

import (
	"bytes"
	"io"
	"net"
	"net/http/fcgi"
	"sync"

	"novcomet/core/cgienv"
	"novcomet/fcgi/fastcgi"
)

// job is a request that is served outside the loop.
type job struct {
	conn    *conn
	request *fastcgi.Request
	opened  Opened
}

// jobs are the requests that are served outside the loop. At most MaxServing run at the same time. Half of
// them, but at least one, may publish, because a store that does not answer must leave room for other
// requests. A job runs even if its connection is closed or its request is aborted meanwhile, so that no
// publication is lost. Only Close drops the jobs that have not started.
type jobs struct {
	publications, others []*job // that have not started yet
	running, publishing  int
}

// add adds the request of a connection. Its bytes are counted until end is called.
func (js *jobs) add(c *conn, request *fastcgi.Request, opened Opened) {
	c.reactor.received += request.Size()
	j := &job{c, request, opened}
	if opened.Publishes {
		js.publications = append(js.publications, j)
	} else {
		js.others = append(js.others, j)
	}
}

// start runs as many jobs as may run.
func (js *jobs) start(r *Reactor) {
	limit := r.options.MaxServing
	for len(js.publications) > 0 && js.running < limit && js.publishing < max(1, limit/2) {
		js.publishing++
		js.run(pop(&js.publications))
	}
	for len(js.others) > 0 && js.running < limit {
		js.run(pop(&js.others))
	}
	r.serving.Store(int64(js.running))
}

// outcome is what became of a job.
type outcome struct {
	*job
	reopened Opened // if the job was only to open the request
	records  []byte // of the answer, otherwise
	failed   bool   // Open panicked.
}

func (js *jobs) run(j *job) {
	js.running++
	r := j.conn.reactor
	go func() {
		done := outcome{job: j}
		defer func() {
			if problem := recover(); problem != nil {
				r.logPanic(problem)
				done.failed = true
			}
			r.inbox.post(func(m *messages) { m.outcomes = append(m.outcomes, done) })
		}()
		if j.opened.Blocks {
			done.reopened = r.service.Open(j.request, true)
		} else {
			done.records = j.serve()
		}
	}()
}

// end goes on, in the loop, with the outcome of a job.
func (js *jobs) end(o outcome) {
	js.running--
	if o.opened.Publishes {
		js.publishing--
	}
	c := o.conn
	c.reactor.received -= o.request.Size()
	switch {
	case o.failed:
		c.close()
	case o.reopened.Publishes: // also if the client has left
		js.add(c, o.request, o.reopened)
	case c.state == closed:
	case !o.opened.Blocks:
		c.finish(privateFrame(o.records)) // rule: server-answers-a-publication
	case c.aborted:
		c.finish(endFrame(c.id))
	default:
		c.serve(o.request, o.reopened)
	}
}

// serve lets net/http/fcgi serve the request, and returns the records of its answer. The Handler has the
// variables already, so net/http/fcgi gets changed ones, which it accepts.
func (j *job) serve() []byte {
	variables := cgienv.Acceptable(j.request.Variables)
	records := fastcgi.AppendRequest(nil, j.request.ID, variables, j.request.Body)
	m := &memoryConn{in: bytes.NewReader(records), closed: make(chan struct{})}
	_ = fcgi.Serve(&oneConn{conn: m}, j.opened.Handler) // It returns when there is nothing more to accept.
	<-m.closed
	return m.out
}

// memoryConn is the connection that net/http/fcgi sees. It carries one request.
type memoryConn struct {
	net.Conn // nil: only the methods below are called
	in       *bytes.Reader
	out      []byte
	once     sync.Once
	closed   chan struct{}
}

// Read reads the request. At its end it waits, because net/http/fcgi would take the end of a connection for a
// web server that has gone.
func (m *memoryConn) Read(b []byte) (int, error) {
	if m.in.Len() == 0 {
		<-m.closed
		return 0, io.EOF
	}
	return m.in.Read(b)
}

func (m *memoryConn) Write(b []byte) (int, error) {
	m.out = append(m.out, b...)
	return len(b), nil
}

// Close is called when the request has been answered, because the request does not ask to keep the
// connection.
func (m *memoryConn) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

// oneConn is a listener that accepts one connection.
type oneConn struct{ conn net.Conn }

func (l *oneConn) Accept() (net.Conn, error) {
	if l.conn == nil {
		return nil, io.EOF
	}
	c := l.conn
	l.conn = nil
	return c, nil
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{} }
