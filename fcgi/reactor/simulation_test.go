package reactor

import (
	"errors"
	"io"
	"sync"
	"time"
)

// simulation is a system whose sockets are in memory. It reports events as epoll does: again and again, as
// long as a descriptor is ready, and a call of wake takes the place of an event. As in the kernel, a new
// connection gets the lowest free descriptor.
type simulation struct {
	mu      sync.Mutex
	changed sync.Cond
	sockets []*socket      // by descriptor; nil: free
	first   int            // where wait begins to search, so that all sockets get their turn
	late    []readiness    // events that wait reports although they are over
	closing func(fd int32) // is called when the loop has closed a descriptor, unless it is nil
	most    int            // events that wait reports at once; 0: as many as fit
	paused  bool           // wait does not return, as if the loop were late.
	woken   bool           // wake was called, and wait has not returned since.
}

// socket is the loop's end of a connection.
type socket struct {
	system     *simulation
	fd         int32
	generation int32
	added      bool // add was called, so wait reports it.
	write      bool // wait reports that it can be written; otherwise, that it can be read.
	closed     bool

	in, out  []byte          // sent by the web server; received by it
	size     int             // of each of the two buffers, in bytes
	moves    func(n int) int // how many of n bytes the loop reads or writes at once; nil: as many as possible
	patience time.Duration   // of the web server, until something has changed
	gone     bool            // The web server has closed its end.
	shut     bool            // The web server sends nothing more.
	reset    bool            // It has closed its end with unread bytes.
}

func newSimulation() *simulation {
	s := &simulation{}
	s.changed.L = &s.mu
	return s
}

// connect returns both ends of a new connection, with buffers of this size.
func (s *simulation) connect(size int) (fd int, webServer *socketEnd) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for fd < len(s.sockets) && s.sockets[fd] != nil {
		fd++
	}
	if fd == len(s.sockets) {
		s.sockets = append(s.sockets, nil)
	}
	s.sockets[fd] = &socket{system: s, fd: int32(fd), size: size, patience: 24 * time.Hour}
	return fd, &socketEnd{s.sockets[fd]}
}

// open returns how many descriptors are open.
func (s *simulation) open() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, socket := range s.sockets {
		if socket != nil {
			n++
		}
	}
	return n
}

func (s *simulation) wait(ready []readiness, limit time.Duration) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	over := limit == 0
	if limit > 0 {
		timer := time.AfterFunc(limit, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			over = true
			s.changed.Broadcast()
		})
		defer timer.Stop()
	}
	for {
		for s.paused {
			s.changed.Wait()
		}
		n := copy(ready, s.late)
		s.late = nil
		free := ready[n:]
		if s.woken {
			free = free[:len(free)-1]
		}
		n += s.readyLocked(free)
		if n > 0 || s.woken || over {
			s.woken = false
			return n
		}
		s.changed.Wait()
	}
}

// pause lets the loop be late: until resume, it does not see what happens.
func (s *simulation) pause()  { s.setPaused(true) }
func (s *simulation) resume() { s.setPaused(false) }

func (s *simulation) setPaused(paused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = paused
	s.changed.Broadcast()
}

// report makes wait report events that are over.
func (s *simulation) report(late ...readiness) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = append(s.late, late...)
	s.changed.Broadcast()
}

func (s *simulation) readyLocked(ready []readiness) (n int) {
	most := len(ready)
	if s.most > 0 {
		most = min(most, s.most)
	}
	for i := range s.sockets {
		socket := s.sockets[(s.first+i)%len(s.sockets)]
		if n == most {
			break
		}
		if socket != nil && socket.isReadyLocked() {
			ready[n] = readiness{socket.fd, socket.generation, socket.write && socket.isWritableLocked(), socket.gone}
			n++
		}
	}
	s.first++
	return n
}

// isWritableLocked reports whether wait reports the socket. As in the kernel, there can be room before that.
func (s *socket) isWritableLocked() bool { return s.gone || len(s.out) <= s.size/4 }

func (s *socket) isReadyLocked() bool {
	return s.added && (s.gone || s.write && s.isWritableLocked() || !s.write && (s.shut || len(s.in) > 0))
}

func (s *simulation) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.woken = true
	s.changed.Broadcast()
}

var errDescriptor = errors.New("a descriptor that is not open")

// socketLocked returns an open socket. If there is none, the loop has a mistake.
func (s *simulation) socketLocked(fd int32) *socket {
	if socket := s.sockets[fd]; socket != nil {
		return socket
	}
	panic(errDescriptor)
}

func (s *simulation) add(fd, generation int32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	socket := s.socketLocked(fd)
	if socket.added {
		panic("a descriptor was added twice")
	}
	socket.added, socket.generation = true, generation
	return nil
}

func (s *simulation) selectEvents(fd, generation int32, write bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	socket := s.socketLocked(fd)
	if !socket.added || socket.generation != generation {
		panic("events of another connection are selected")
	}
	socket.write = write
	return nil
}

func (s *simulation) read(fd int32, b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	socket := s.socketLocked(fd)
	n := socket.movesLocked(min(len(b), len(socket.in)))
	copy(b, socket.in[:n])
	socket.in = socket.in[n:]
	s.changed.Broadcast()
	switch {
	case n > 0 || len(socket.in) > 0 || !socket.gone && !socket.shut:
		return n, nil
	case socket.reset:
		return 0, errors.New("connection reset by peer")
	}
	return 0, io.EOF
}

func (s *simulation) write(fd int32, b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	socket := s.socketLocked(fd)
	if socket.gone {
		return 0, errors.New("broken pipe")
	}
	n := socket.movesLocked(min(len(b), socket.size-len(socket.out)))
	socket.out = append(socket.out, b[:n]...)
	s.changed.Broadcast()
	return n, nil
}

func (s *socket) movesLocked(n int) int {
	if s.moves == nil {
		return n
	}
	return s.moves(n)
}

func (s *simulation) close(fd int32) {
	s.mu.Lock()
	s.socketLocked(fd).closed = true
	s.sockets[fd] = nil
	s.changed.Broadcast()
	closing := s.closing
	s.mu.Unlock()
	if closing != nil {
		closing(fd)
	}
}

func (s *simulation) end() {}
