package launch

import (
	"math/rand/v2"
	"net"
	"strconv"

	"github.com/pkg/errors"
)

// FreePort returns the port if it is free on 127.0.0.1, or an error. For port 0 it returns a free one between
// 20000 and 32000. Linux uses ports from 32768 for outgoing connections, which could occupy the port before
// the server does.
func FreePort(port int) (int, error) {
	if port != 0 {
		if err := checkFree(port); err != nil {
			return 0, errors.Wrapf(err, "port %d is not free; choose another one", port)
		}
		return port, nil
	}
	var err error
	for range 100 {
		port = 20000 + rand.IntN(12000)
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
