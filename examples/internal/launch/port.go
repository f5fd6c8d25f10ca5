package launch

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"

	"github.com/pkg/errors"
)

// The ports that FreePort chooses from. Linux uses ports from 32768 for outgoing connections, which could
// occupy the port before the server does.
const firstPort, ports = 20000, 12000

// FreePort tries one port after the other, from one at random. A process does not choose a port twice: the
// first server may be starting, or restarting.
var (
	offset = rand.Uint32N(ports)
	tried  atomic.Uint32
)

// FreePort returns the port if it is free on 127.0.0.1, or an error. For port 0 it returns a free one between
// 20000 and 32000.
func FreePort(port int) (int, error) {
	if port != 0 {
		if err := checkFree(port); err != nil {
			return 0, errors.Wrapf(err, "port %d is not free; choose another one", port)
		}
		return port, nil
	}
	var err error
	for range 100 {
		port = firstPort + int((offset+tried.Add(1))%ports)
		if err = checkFree(port); err == nil {
			return port, nil
		}
	}
	return 0, errors.Wrap(err, "no free port between 20000 and 32000")
}

func checkFree(port int) error {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return l.Close()
}
