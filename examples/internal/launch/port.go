package launch

import (
	"math/rand/v2"
	"net"
	"strconv"

	"github.com/pkg/errors"
)

// freePort checks that nobody listens on the port, or finds one for 0. It looks below the range from which Linux
// takes ports for outgoing connections (32768 on), so that none of those can take it before the server does.
func freePort(port int) (int, error) {
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
