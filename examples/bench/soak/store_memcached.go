package soak

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"time"

	"github.com/pkg/errors"

	"novcomet/core/servertest"
	"novcomet/examples/internal/launch"
)

// memcachedStore keeps the events in one memcached.
type memcachedStore struct{ server *servertest.Memcached }

func openMemcached(h *Host) *memcachedStore { return &memcachedStore{servertest.StartMemcached(h)} }

func (m *memcachedStore) configure(o *launch.Options) {
	o.Settings["store"] = memcached
	o.Settings["memcached.servers"] = "[" + m.server.Address() + "]"
	o.Settings["memcached.skew"] = "0"
}

func (m *memcachedStore) ways(*launch.Site) []way { return nil }

// stamp reads the first line of the value.
func (m *memcachedStore) stamp(ctx context.Context, id string) (stamp micros, _ error) {
	const timeout = 2 * time.Second
	connection, err := (&net.Dialer{Timeout: timeout}).DialContext(ctx, "tcp", m.server.Address())
	if err != nil {
		return 0, err // kindOf shortens it.
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(timeout)); err != nil {
		return 0, errors.Wrap(err, "setting a deadline")
	}
	var key string
	var flags, size int
	if _, err = fmt.Fprintf(connection, "get novcomet:%s\r\n", id); err == nil {
		_, err = fmt.Fscanf(bufio.NewReader(connection), "VALUE %s %d %d\r\n%d", &key, &flags, &size, &stamp)
	}
	return stamp, errors.Wrap(err, "the event is missing")
}

func (m *memcachedStore) disturbances(*soak) []disturbance {
	return []disturbance{
		{"memcached", "store", 3 * time.Second, func(o occurrence) (stop, error) {
			m.server.Kill()
			return then(m.server.Restart)
		}},
		{"stop store", "store", 20 * time.Second, func(o occurrence) (stop, error) {
			return then(m.server.Freeze())
		}},
	}
}
