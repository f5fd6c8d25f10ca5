package redistest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// freePort returns a port that nobody listens on. It is below those that the kernel gives to outgoing connections, so that
// none of these takes it while its server is away.
func freePort(t testing.TB) int {
	t.Helper()
	const lowest, highest = 12_000, 32_000
	for range 1000 {
		port := lowest + rand.IntN(highest-lowest)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			listener.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}
