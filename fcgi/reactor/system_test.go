package reactor

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// forEachSystem tests the real system, and that the simulation behaves like it.
func forEachSystem(
	t *testing.T, f func(t *testing.T, s system, connect func() (fd int32, webServer io.ReadWriteCloser)),
) {
	t.Helper()
	t.Run("epoll", func(t *testing.T) {
		s, err := newEpoll()
		if err != nil {
			t.Fatal(err)
		}
		defer s.end()
		f(t, s, func() (int32, io.ReadWriteCloser) { return socketPair(t) })
	})
	t.Run("simulation", func(t *testing.T) {
		s := newSimulation()
		f(t, s, func() (int32, io.ReadWriteCloser) {
			fd, end := s.connect(socketSize)
			return int32(fd), end
		})
	})
}

// fileEnd is the web server's end of a real connection.
type fileEnd struct{ *os.File }

func (e fileEnd) CloseWrite() error {
	raw, err := e.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_WR) })
}

// socketPair returns both ends of a real connection.
func socketPair(t testing.TB) (fd int32, webServer fileEnd) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	webServer = fileEnd{os.NewFile(uintptr(fds[1]), "the web server's end")}
	t.Cleanup(func() { webServer.Close() })
	return int32(fds[0]), webServer
}

// events waits for events once, at most for the limit. A signal can end it earlier.
func events(s system, limit time.Duration) []readiness {
	ready := make([]readiness, 10)
	return ready[:s.wait(ready, limit)]
}

func TestSystem_ReportsWhatIsReadyAsLongAsItIs(t *testing.T) {
	forEachSystem(t, func(t *testing.T, s system, connect func() (int32, io.ReadWriteCloser)) {
		fd, webServer := connect()
		defer s.close(fd)
		const generation = 7
		want := func(want ...readiness) {
			t.Helper()
			for range 2 {
				if got := events(s, 0); !slices.Equal(got, want) {
					t.Fatalf("%+v, want %+v", got, want)
				}
			}
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		buffer := make([]byte, 1<<20)
		must(s.add(fd, generation))
		want()
		if n, err := s.read(fd, buffer); n != 0 || err != nil {
			t.Errorf("nothing can be read: %d, %v", n, err)
		}
		_, err := webServer.Write([]byte("ab"))
		must(err)
		want(readiness{fd: fd, generation: generation})
		if n, err := s.read(fd, buffer[:1]); n != 1 || err != nil || buffer[0] != 'a' {
			t.Errorf("%d, %v", n, err)
		}
		want(readiness{fd: fd, generation: generation})
		must(s.selectEvents(fd, generation, true))
		want(readiness{fd: fd, generation: generation, write: true})

		full := 0
		for {
			n, err := s.write(fd, bytes.Repeat([]byte("x"), 1<<20))
			must(err)
			if n == 0 {
				break
			}
			full += n
		}
		want()
		_, err = io.ReadFull(webServer, buffer[:full])
		must(err)
		want(readiness{fd: fd, generation: generation, write: true})
		must(s.selectEvents(fd, generation, false))
		want(readiness{fd: fd, generation: generation}) // "b" is still there.
		must(webServer.Close())
		want(readiness{fd: fd, generation: generation, gone: true})
		if n, err := s.read(fd, buffer); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if n, err := s.read(fd, buffer); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("%d, %v; want %v", n, err, io.EOF)
		}
		if n, err := s.write(fd, buffer); n > 0 || err == nil {
			t.Errorf("%d bytes were written to a connection that is closed", n)
		}
		must(s.selectEvents(fd, generation, true))
		want(readiness{fd: fd, generation: generation, write: true, gone: true})
	})
}

func TestSystem_FailsIfTheWebServerHasNotReadEverything(t *testing.T) {
	forEachSystem(t, func(t *testing.T, s system, connect func() (int32, io.ReadWriteCloser)) {
		fd, webServer := connect()
		defer s.close(fd)
		if n, err := s.write(fd, []byte("x")); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		webServer.Close()
		if n, err := s.read(fd, make([]byte, 1)); n != 0 || err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%d, %v", n, err)
		}
	})
}

func TestSystem_ReportsAWebServerThatSendsNothingMore(t *testing.T) {
	forEachSystem(t, func(t *testing.T, s system, connect func() (int32, io.ReadWriteCloser)) {
		fd, webServer := connect()
		defer s.close(fd)
		if err := s.add(fd, 1); err != nil {
			t.Fatal(err)
		}
		if err := webServer.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got := events(s, 0); !slices.Equal(got, []readiness{{fd: fd, generation: 1}}) {
			t.Errorf("%+v", got)
		}
		for err := error(nil); err == nil; { // until nothing more can be written
			var n int
			if n, err = s.write(fd, make([]byte, 1<<20)); err != nil {
				t.Error(err)
			} else if n == 0 {
				break
			}
		}
		if err := s.selectEvents(fd, 1, true); err != nil {
			t.Fatal(err)
		}
		if got := events(s, 0); len(got) > 0 { // It still receives.
			t.Errorf("%+v", got)
		}
		if n, err := s.read(fd, make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("%d, %v; want %v", n, err, io.EOF)
		}
	})
}

func TestSystem_WakeEndsOneWait(t *testing.T) {
	forEachSystem(t, func(t *testing.T, s system, _ func() (int32, io.ReadWriteCloser)) {
		for range 3 {
			s.wake() // before the wait
			s.wake()
			if got := events(s, -1); len(got) > 0 {
				t.Errorf("%+v", got)
			}
			const limit, signals = 20 * time.Millisecond, 100
			waits := 0
			for begin := time.Now(); time.Since(begin) < limit; waits++ {
				if got := events(s, limit); len(got) > 0 {
					t.Errorf("%+v", got)
				}
			}
			if waits > signals {
				t.Errorf("%d waits ended before their limit", waits)
			}
			go s.wake() // during the wait
			events(s, -1)
		}
	})
}

func TestSystem_ReportsNothingOfAClosedDescriptor(t *testing.T) {
	forEachSystem(t, func(t *testing.T, s system, connect func() (int32, io.ReadWriteCloser)) {
		first, firstEnd := connect()
		if err := s.add(first, 1); err != nil {
			t.Fatal(err)
		}
		if _, err := firstEnd.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		s.close(first)
		second, secondEnd := connect()
		defer s.close(second)
		if second != first {
			t.Skipf("the kernel gave descriptor %d instead of %d", second, first)
		}
		if err := s.add(second, 2); err != nil {
			t.Fatal(err)
		}
		if got := events(s, 0); len(got) > 0 {
			t.Errorf("%+v", got)
		}
		if _, err := secondEnd.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		var got []readiness
		for len(got) == 0 {
			got = events(s, -1)
		}
		if !slices.Equal(got, []readiness{{fd: second, generation: 2}}) {
			t.Errorf("%+v", got)
		}
	})
}

func TestMilliseconds_AreRoundedUp(t *testing.T) {
	for d, want := range map[time.Duration]int{
		-1: -1, -time.Hour: -1, 0: 0, 1: 1, time.Millisecond - 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2,
		time.Second: 1000, 1 << 62: 1<<31 - 1,
	} {
		if got := milliseconds(d); got != want {
			t.Errorf("%v: %d, want %d", d, got, want)
		}
	}
}
