package reactor

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"novcomet/core/servertest"
)

// failWriter is the output of a log in which nothing is expected.
type failWriter struct{ t *testing.T }

func (w failWriter) Write(line []byte) (int, error) {
	w.t.Errorf("logged %q", line)
	return len(line), nil
}

// startReactor starts a reactor on real sockets, which ends with the test. It must log no problem.
func startReactor(t *testing.T, o Options) *Reactor {
	t.Helper()
	o.Log = slog.New(slog.NewTextHandler(failWriter{t}, nil))
	r, err := New(newTestService(o.Log, newMemoryStore()), o)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Run()
	}()
	t.Cleanup(func() {
		r.Close()
		<-ended
		if n := len(r.places); n != 0 {
			t.Errorf("%d places are taken", n)
		}
	})
	return r
}

// listen returns a listening socket, whose connections a reactor accepts.
func listen(t *testing.T, r *Reactor, network, address string, allowed func(netip.AddrPort) bool) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.NewAcceptor(l, allowed)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		a.Serve()
	}()
	t.Cleanup(func() {
		a.Close()
		l.Close()
		<-served
	})
	return l
}

func dial(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(servertest.Patience))
	return c
}

func TestAcceptor_AcceptsNoMoreThanMaxConnections(t *testing.T) {
	const limit = 3
	r := startReactor(t, Options{MaxConnections: limit, MaxServing: 1, MaxBuffered: 1 << 20})
	l := listen(t, r, "tcp", "127.0.0.1:0", nil)
	var all []net.Conn
	for range 2 * limit {
		all = append(all, dial(t, l)) // The backlog takes the further ones.
	}
	servertest.WaitFor(t, "connections are accepted", func() bool { return r.Connections() == limit })
	for i, c := range all {
		if n := r.Connections(); n > limit {
			t.Errorf("%d connections, want at most %d", n, limit)
		}
		// The next one is accepted only when this one is closed, because its bytes are not FastCGI. If they are
		// late, this one is closed already.
		_, _ = c.Write([]byte("not FastCGI"))
		if _, err := io.ReadAll(c); err != nil && !errors.Is(err, unix.ECONNRESET) {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	servertest.WaitFor(t, "all connections are closed", func() bool { return r.Connections() == 0 })
}

func TestAcceptor_ClosesConnectionsFromOtherAddresses(t *testing.T) {
	r := startReactor(t, Options{MaxConnections: 10, MaxServing: 1, MaxBuffered: 1 << 20})
	for address, want := range map[string]string{"127.0.0.1:0": "127.0.0.1", "[::1]:0": "::1", "[::]:0": "127.0.0.1"} {
		got := make(chan netip.AddrPort, 1)
		l := listen(t, r, "tcp", address, func(a netip.AddrPort) bool {
			got <- a
			return false
		})
		port := uint16(l.Addr().(*net.TCPAddr).Port)
		c, err := net.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr(want), port).String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if a := <-got; a.Addr().String() != want || a != c.LocalAddr().(*net.TCPAddr).AddrPort() {
			t.Errorf("%s: the address is %v, want %v", address, a, c.LocalAddr())
		}
		if b, err := io.ReadAll(c); len(b) > 0 || err != nil && !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("%s: %q, %v", address, b, err)
		}
	}
	if n := r.Connections(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestAcceptor_AcceptsUnixConnectionsWithoutAskingForTheirAddress(t *testing.T) {
	r := startReactor(t, Options{MaxConnections: 10, MaxServing: 1, MaxBuffered: 1 << 20})
	l := listen(t, r, "unix", t.TempDir()+"/s", func(netip.AddrPort) bool {
		t.Error("the address was asked for")
		return false
	})
	dial(t, l)
	servertest.WaitFor(t, "a connection is accepted", func() bool { return r.Connections() == 1 })
}

// Another process that shares the socket may make it a blocking one. Then accept never reports that no
// connection waits, and the connections of the other process must not be accepted for ever.
func TestAcceptor_EndsAfterAtMostOneMoreConnectionOfABlockingSocket(t *testing.T) {
	r := startReactor(t, Options{MaxConnections: 10, MaxServing: 1, MaxBuffered: 1 << 20})
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := r.NewAcceptor(l, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := l.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	setNonblock := func(nonblocking bool) {
		t.Helper()
		err := raw.Control(func(fd uintptr) {
			if err := unix.SetNonblock(int(fd), nonblocking); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Error(err)
		}
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		a.Serve()
	}()
	setNonblock(false)
	dial(t, l)
	servertest.WaitFor(t, "a connection is accepted", func() bool { return r.Connections() == 1 })
	closed := make(chan struct{})
	a.closed.Store(true)
	go func() {
		defer close(closed)
		a.Close()
	}()
	const further = 3
	for range further {
		dial(t, l)
	}
	servertest.WaitFor(t, "Serve ends, or accepts all", func() bool {
		select {
		case <-served:
			return true
		default:
			return r.Connections() == 1+further
		}
	})
	if n := r.Connections(); n > 2 {
		t.Errorf("%d connections were accepted, want 2 at most", n)
		setNonblock(true)
		dial(t, l)
	}
	<-served
	<-closed
}

// failingSocket fails several times, as with too many open files. Then it waits until it is closed.
type failingSocket struct {
	syscall.RawConn
	failures int
	after    chan struct{}
	closed   chan struct{}
}

func (s *failingSocket) Read(func(uintptr) bool) error {
	if s.failures > 0 {
		s.failures--
		return errors.New("too many open files")
	}
	close(s.after)
	<-s.closed
	return net.ErrClosed
}

func TestAcceptor_RepeatsAFailedAcceptAfterLongerPausesUpToASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := Options{MaxConnections: 1, Log: slog.New(slog.NewTextHandler(&log, nil))}
		socket := &failingSocket{failures: 12, after: make(chan struct{}), closed: make(chan struct{})}
		a := &Acceptor{reactor: newReactor(nil, o, newSimulation()), raw: socket}
		served := make(chan struct{})
		begin := time.Now()
		go func() {
			defer close(served)
			a.Serve()
		}()
		<-socket.after
		const pauses = (5 + 10 + 20 + 40 + 80 + 160 + 320 + 640 + 4*1000) * time.Millisecond
		wantAfter(t, "accept was called without an error", begin, pauses)
		a.closed.Store(true)
		close(socket.closed)
		<-served
		if n := strings.Count(log.String(), "too many open files"); n != 12 {
			t.Errorf("%d failures were logged: %s", n, &log)
		}
		if n := len(a.reactor.places); n != 0 {
			t.Errorf("%d places are taken", n)
		}
	})
}
