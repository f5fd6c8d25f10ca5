package reactor

import (
	"io"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"
)

// system is the system calls of the loop. Tests simulate it.
type system interface {
	// wait waits until a descriptor is ready, wake was called, or the time is over; negative: no limit.
	wait(ready []readiness, limit time.Duration) (n int)
	// wake makes the current or the next wait return. Any goroutine may call it.
	wake()
	// add makes wait report when a descriptor can be read, or was closed by the other side.
	add(fd, generation int32) error
	// selectEvents selects what wait reports: that the descriptor can be read, or written.
	selectEvents(fd, generation int32, write bool) error
	// read and write return 0 and no error if the descriptor is not ready. read returns io.EOF at the end.
	read(fd int32, b []byte) (n int, err error)
	write(fd int32, b []byte) (n int, err error)
	close(fd int32)
	// end frees what the system holds for the loop.
	end()
}

// readiness is an event of a descriptor.
type readiness struct {
	fd, generation int32
	write          bool // It can be written.
	gone           bool // The other side has closed it, and reads nothing more.
}

// epoll is the real system.
type epoll struct {
	fd      int
	eventfd int // written by wake
	events  []unix.EpollEvent
}

func newEpoll() (*epoll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, errors.Wrap(err, "epoll_create1")
	}
	eventfd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err == nil {
		// With EPOLLET, each write is reported once, so the counter need not be read.
		woken := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: -1}
		err = unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, eventfd, &woken)
	}
	if err != nil {
		unix.Close(fd)
		return nil, errors.Wrap(err, "eventfd")
	}
	return &epoll{fd: fd, eventfd: eventfd}, nil
}

func (e *epoll) wait(ready []readiness, limit time.Duration) (n int) {
	if len(e.events) < len(ready) {
		e.events = make([]unix.EpollEvent, len(ready))
	}
	reported, err := unix.EpollWait(e.fd, e.events[:len(ready)], milliseconds(limit))
	if err != nil && err != unix.EINTR {
		panic(errors.Wrap(err, "epoll_wait")) // It fails only if its arguments are wrong.
	}
	for _, event := range e.events[:max(reported, 0)] {
		if event.Fd < 0 { // wake was called
			continue
		}
		ready[n] = readiness{
			fd: event.Fd, generation: event.Pad, write: event.Events&unix.EPOLLOUT != 0,
			gone: event.Events&(unix.EPOLLERR|unix.EPOLLHUP) != 0,
		}
		n++
	}
	return n
}

// milliseconds rounds up, so that the time is over when wait returns.
func milliseconds(d time.Duration) int {
	if d < 0 {
		return -1
	}
	return int(min((d+time.Millisecond-1)/time.Millisecond, 1<<31-1))
}

func (e *epoll) wake() {
	one := []byte{1, 0, 0, 0, 0, 0, 0, 0}
	for { // A lost call would delay a result until something else happens.
		if _, err := unix.Write(e.eventfd, one); err != unix.EINTR { // EAGAIN means that 2⁶⁴-1 calls wait.
			return
		}
	}
}

func (e *epoll) add(fd, generation int32) error {
	return e.control(unix.EPOLL_CTL_ADD, fd, generation, unix.EPOLLIN|unix.EPOLLRDHUP)
}

func (e *epoll) selectEvents(fd, generation int32, write bool) error {
	events := uint32(unix.EPOLLIN | unix.EPOLLRDHUP)
	if write {
		events = unix.EPOLLOUT
	}
	return e.control(unix.EPOLL_CTL_MOD, fd, generation, events)
}

func (e *epoll) control(operation int, fd, generation int32, events uint32) error {
	event := unix.EpollEvent{Events: events, Fd: fd, Pad: generation}
	return errors.Wrap(unix.EpollCtl(e.fd, operation, int(fd), &event), "epoll_ctl")
}

func (e *epoll) read(fd int32, b []byte) (int, error) {
	n, err := unix.Read(int(fd), b)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return 0, nil
	case err != nil:
		return 0, errors.Wrap(err, "read")
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (e *epoll) write(fd int32, b []byte) (int, error) {
	n, err := unix.Write(int(fd), b)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return 0, nil
	case err != nil:
		return 0, errors.Wrap(err, "write")
	}
	return n, nil
}

func (e *epoll) close(fd int32) { unix.Close(int(fd)) }

func (e *epoll) end() {
	unix.Close(e.eventfd)
	unix.Close(e.fd)
}
