//go:build e2e

package memcached_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/servertest"
	"novcomet/core/store"
	"novcomet/core/store/memcached"
)

func TestServer_SilentOneIsUnavailableAfterTimeout(t *testing.T) {
	for name, accepts := range map[string]bool{"accepts connections": true, "does not accept connections": false} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			if accepts {
				go acceptSilently(listener)
			}
			const timeout = 200 * time.Millisecond
			s := openWith(t, memcached.Options{Servers: []string{listener.Addr().String()}, Timeout: timeout})
			ctx, cancel := context.WithTimeout(t.Context(), servertest.Patience)
			defer cancel()
			for range 2 { // The second time, the server is known to be down.
				if _, err := s.Check(ctx, []event.ID{coretest.MustID("a")}); !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("Check: %v; want ErrUnavailable", err)
				}
				if _, err := s.Publish(ctx, coretest.MustID("a"), nil); !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("Publish: %v; want ErrUnavailable", err)
				}
			}
			if ctx.Err() != nil {
				t.Errorf("the calls took longer than %v", servertest.Patience)
			}
		})
	}
}

func acceptSilently(listener net.Listener) {
	var connections []net.Conn
	for {
		c, err := listener.Accept()
		if err != nil {
			break
		}
		connections = append(connections, c)
	}
	for _, c := range connections {
		c.Close()
	}
}

// After a restart of the server, every idle connection is broken.
func TestServer_WorksAtOnceAfterRestart(t *testing.T) {
	server, s := start(t)
	a := coretest.MustID("a")
	for range 3 {
		var publishing sync.WaitGroup
		for range 20 { // so that there are several connections
			publishing.Go(func() {
				if _, err := s.Publish(t.Context(), a, nil); err != nil {
					t.Error(err)
				}
			})
		}
		publishing.Wait()
		server.Kill()
		server.Restart()
		if snapshot, err := s.Check(t.Context(), []event.ID{a}); err != nil || snapshot.Stamps[0] != 0 {
			t.Errorf("%v, %v; want an empty server", snapshot, err)
		}
	}
}
