package reactor

import (
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"
)

// Acceptor accepts the connections of a listening socket, and hands them to the loop. The loop itself does
// not accept: while it answers thousands, their next polls would overflow the backlog of the socket.
type Acceptor struct {
	reactor *Reactor
	socket  *os.File
	raw     syscall.RawConn
	allowed func(netip.AddrPort) bool
	closed  atomic.Bool
}

// NewAcceptor returns an acceptor, which has a duplicate of the listening socket's descriptor. allowed
// reports whether a TCP address may connect; nil: all may.
func (r *Reactor) NewAcceptor(l net.Listener, allowed func(netip.AddrPort) bool) (*Acceptor, error) {
	socket, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		return nil, errors.Wrap(err, "the listening socket")
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, errors.Wrap(err, "the listening socket")
	}
	return &Acceptor{reactor: r, socket: socket, raw: raw, allowed: allowed}, nil
}

// Close ends Serve. If another process has made the shared socket a blocking one, Close waits until accept
// returns.
func (a *Acceptor) Close() {
	a.closed.Store(true)
	a.socket.Close()
}

// Serve accepts connections until Close is called. If accept fails, for example because too many files are
// open, Serve tries again after a pause.
func (a *Acceptor) Serve() {
	const shortest, longest = 5 * time.Millisecond, time.Second
	pause := shortest
	for {
		a.reactor.places <- struct{}{}
		n, err := a.acceptMany()
		switch {
		case n > 0:
			pause = shortest
		case a.closed.Load():
			return
		default:
			a.reactor.options.Log.Error("accept failed; trying again", "error", err)
			time.Sleep(pause)
			pause = min(2*pause, longest)
		}
	}
}

// acceptMany waits for a connection. Then it accepts connections while any wait in the backlog and there is a
// place for them. It returns their number. The caller has taken a place for the first one.
func (a *Acceptor) acceptMany() (n int, err error) {
	hasPlace := true
	readErr := a.raw.Read(func(listener uintptr) (done bool) {
		for hasPlace || a.reactor.takePlace() {
			hasPlace = true
			// On a socket that another process has made blocking, accept never fails with EAGAIN, so only this ends
			// the loop.
			if a.closed.Load() {
				return true
			}
			var fd int
			var from unix.Sockaddr
			fd, from, err = unix.Accept4(int(listener), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			switch {
			case err == nil && a.admit(fd, from):
				a.reactor.inbox.post(func(m *messages) { m.accepted = append(m.accepted, fd) })
				n++
				hasPlace = false
			case err == nil, err == unix.ECONNABORTED, err == unix.EINTR:
			case err == unix.EAGAIN:
				return n > 0
			default:
				return true
			}
		}
		return true
	})
	if hasPlace {
		<-a.reactor.places
	}
	if readErr != nil {
		return n, errors.WithStack(readErr)
	}
	return n, errors.Wrap(err, "accept4")
}

// admit prepares a connection, and reports whether it is allowed. It closes a TCP connection from an address
// that is not allowed, without reading from it.
func (a *Acceptor) admit(fd int, from unix.Sockaddr) bool {
	var address netip.AddrPort
	switch from := from.(type) {
	case *unix.SockaddrInet4:
		address = netip.AddrPortFrom(netip.AddrFrom4(from.Addr), uint16(from.Port))
	case *unix.SockaddrInet6:
		address = netip.AddrPortFrom(netip.AddrFrom16(from.Addr).Unmap(), uint16(from.Port))
	default:
		return true
	}
	if a.allowed != nil && !a.allowed(address) {
		unix.Close(fd)
		return false
	}
	// If an option cannot be set, the connection works, but slower.
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	// With the kernel's default times, a machine that has gone would be noticed after two hours, not minutes.
	const keepalive = 15 // seconds, as in package net
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepalive)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, keepalive)
	return true
}

func (r *Reactor) takePlace() bool {
	select {
	case r.places <- struct{}{}:
		return true
	default:
		return false
	}
}
