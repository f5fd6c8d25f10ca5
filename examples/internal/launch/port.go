package launch

import (
	"math/rand/v2"
	"net"
	"strconv"

	"github.com/pkg/errors"
)

// FreePort returns the port if nobody listens on it on 127.0.0.1, or finds a free one if the port is 0. It
// searches below 32768, where Linux begins to take ports for outgoing connections, so that none of those
// takes it before the server.
func FreePort(port int) (int, error) {
	if port != 0 {
		if err := free(port); err != nil {
			return 0, errors.Wrapf(err, "port %d cannot be had: choose another one", port)
		}
		return port, nil
	}
	var err error
	for range 100 {
		port = 20000 + rand.IntN(12000)
		if err = free(port); err == nil {
			return port, nil
		}
	}
	return 0, errors.Wrap(err, "no free port between 20000 and 32000")
}

func free(port int) error {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return l.Close()
}
