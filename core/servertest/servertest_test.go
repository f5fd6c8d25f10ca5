//go:build linux

package servertest

import "testing"

func TestFreePort_ChoosesEachPortOnce(t *testing.T) {
	chosen := map[int]bool{}
	for range 1000 {
		port := FreePort(t)
		if chosen[port] {
			t.Fatalf("port %d is chosen twice, before a server listens on it", port)
		}
		chosen[port] = true
	}
}
