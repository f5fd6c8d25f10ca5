package check

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"
)

// usualSocket is that of examples/systemd.
const usualSocket = "/run/novcomet/comet.sock"

// socketPath returns the socket file, "" if there is none or it is not known.
func (c *checker) socketPath() string {
	if path, ok := strings.CutPrefix(c.config.Listen, "unix:"); ok {
		return path
	}
	if c.config.Listen == "" {
		if _, err := os.Stat(usualSocket); err == nil {
			return usualSocket
		}
	}
	return ""
}

// socket looks at the socket: whether the web server may connect, and whether comet-fcgi answers.
func (c *checker) socket() {
	const check = "socket"
	const start = "start comet-fcgi, and see systemctl status comet-fcgi.socket comet-fcgi.service"
	network, address := "tcp", c.config.Listen
	if path := c.socketPath(); path != "" {
		network, address = "unix", path
		if !c.socketFile(path, start) {
			return
		}
	}
	if address == "" {
		c.ok(check, "another program passes the socket to comet-fcgi; to test one, use --listen unix:…")
		return
	}
	switch err := knock(network, address); {
	case err == nil:
		c.ok(check, "a FastCGI program answers on %s", address)
	case errors.Is(err, unix.ECONNREFUSED):
		c.problem(check, start, "no program answers on %s", address)
	case errors.Is(err, os.ErrPermission):
		c.ok(check, "%s may not connect to %s, so this was not tested", self(), address)
	default:
		c.problem(check, start, "%s: %v", address, err)
	}
}

// socketFile looks at the rights of a socket file, and reports whether it makes sense to connect.
func (c *checker) socketFile(path, start string) bool {
	const check = "socket"
	info, err := os.Stat(path)
	switch {
	case err != nil:
		c.problem(check, start, "%v", err)
		return false
	case info.Mode()&os.ModeSocket == 0:
		c.problem(check, "remove it, and "+start, "%s (%s) is not a socket", path, described(info))
		return false
	}
	c.ok(check, "%s: %s", path, described(info))
	if info.Mode()&0o002 != 0 {
		c.warn(check, "set SocketMode=0660 and SocketGroup=www-data in comet-fcgi.socket, or socket.mode and socket.group in comet.yaml",
			"every user of this machine may connect, and claim to be any user")
	}
	parent, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return true
	}
	seen, admitted := map[string]bool{}, false
	for _, p := range running("nginx", "apache2", "httpd", "lighttpd", "caddy") {
		if p.uid == 0 { // It only starts the others, who do the work.
			continue
		}
		seen[p.account.String()] = true
		admitted = admitted || p.may(2, info) && p.may(1, parent)
	}
	if len(seen) > 0 && !admitted {
		c.problem(check, "give it the web server's group: SocketGroup= in comet-fcgi.socket, or socket.group and socket.mode in comet.yaml",
			"the web server, which runs as %s, may not connect: %s has mode %v", some(sorted(seen)), path, info.Mode().Perm())
	}
	return true
}

// knock asks on a socket what FastCGI programs are asked, and reports whether one answers.
func knock(network, address string) error {
	const patience = 5 * time.Second
	c, err := net.DialTimeout(network, address, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	// FCGI_GET_VALUES (9) of one name without a value, and the head of FCGI_GET_VALUES_RESULT (10): sections 4.1 and 8 of
	// the specification.
	const name = "FCGI_MPXS_CONNS"
	ask := append([]byte{1, 9, 0, 0, 0, byte(len(name) + 2), 0, 0, byte(len(name)), 0}, name...)
	if _, err := c.Write(ask); err != nil {
		return err
	}
	var head [8]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return fmt.Errorf("the program that listens there does not answer like a FastCGI program: %w", err)
	}
	if head[0] != 1 || head[1] != 10 {
		return errors.New("the program that listens there is not a FastCGI program")
	}
	return nil
}
