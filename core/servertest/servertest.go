//go:build linux

// Package servertest starts Redis and memcached servers for tests: on loopback, on free ports, in temporary
// directories. The servers end with the test. If a program is not installed, the test fails. It also has what
// the tests of NovComet's own programs share. Linux only.
package servertest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// Patience is how long a test waits for anything before it fails.
const Patience = 60 * time.Second

// WaitFor waits until the condition is true. It fails the test if that takes longer than [Patience].
func WaitFor(t testing.TB, what string, condition func() bool) {
	t.Helper()
	const pause = 5 * time.Millisecond
	for deadline := time.Now().Add(Patience); !condition(); time.Sleep(pause) {
		if time.Now().After(deadline) {
			t.Fatalf("after %v still not: %s", Patience, what)
		}
	}
}

// The ports that FreePort chooses from. They are below the range of ports that Linux gives to outgoing
// connections, so none of them occupies the port while its server is restarted. The demo has others.
const firstPort, ports = 12_000, 8_000

// FreePort tries one port after the other, from one at random. A test program does not choose a port twice:
// the first server may be starting, or restarting.
var (
	offset = rand.Uint32N(ports)
	tried  atomic.Uint32
)

// FreePort returns a port of 127.0.0.1 that no program listens on.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := firstPort + int((offset+tried.Add(1))%ports)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			listener.Close()
			return port
		}
	}
	t.Fatalf("no port is free between %d and %d", firstPort, firstPort+ports)
	return 0
}
