package check

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"time"

	pkgerrors "github.com/pkg/errors"
	"golang.org/x/sys/unix"

	"novcomet/fcgi/fastcgi"
)

// checkSocket tests whether comet-fcgi answers on its socket, and who may connect to it.
func (c *checker) checkSocket() {
	c.topic = "socket"
	const usualFile, usualSocket = "/etc/novcomet/comet.yaml", "/run/novcomet/comet.sock" // as in examples/systemd
	const start = "start comet-fcgi, and run systemctl status comet-fcgi.socket comet-fcgi.service"
	address := c.config.Listen
	if _, err := os.Stat(usualSocket); err == nil && address == "" && c.file == usualFile {
		address = "unix:" + usualSocket
	}
	if address == "" {
		c.ok("not tested: another program passes the socket to comet-fcgi; name one with --listen unix:…")
		return
	}
	network, address := splitAddress(address)
	if network == "unix" {
		if info, err := os.Stat(address); err == nil {
			c.ok("%s: %s", address, describe(info))
			if info.Mode()&0o002 != 0 {
				c.warn("set SocketMode=0660 and SocketGroup=www-data in comet-fcgi.socket, "+
					"or socket.mode and socket.group in comet.yaml",
					"every user of this machine may connect, and claim to be any user")
			}
		}
	}
	switch err := probeFastCGI(network, address); {
	case err == nil:
		c.ok("a FastCGI program answers on %s", address)
	case errors.Is(err, unix.ECONNREFUSED):
		c.problem(start, "no program answers on %s", address)
	case errors.Is(err, os.ErrPermission):
		c.warn("run the check as the user of comet-fcgi; if the web server may not connect either, "+
			"set SocketGroup= in comet-fcgi.socket, or socket.group in comet.yaml, to its group",
			"%s may not connect to %s", userName(os.Geteuid()), address)
	default:
		c.problem(start, "%s: %v", address, err)
	}
}

// checkHealth tests whether comet-fcgi answers on Options.Socket.
func (c *checker) checkHealth() {
	c.topic = "socket"
	if err := probeFastCGI(splitAddress(c.options.Socket)); err != nil {
		c.problem("start comet-fcgi, and read its log", "%s: %v", c.options.Socket, err)
		return
	}
	c.ok("a FastCGI program answers on %s", c.options.Socket)
}

// splitAddress splits a value of the key listen, for net.Dial.
func splitAddress(listen string) (network, address string) {
	if path, ok := strings.CutPrefix(listen, "unix:"); ok {
		return "unix", path
	}
	return "tcp", listen
}

// probeFastCGI asks for a value that every FastCGI program knows.
func probeFastCGI(network, address string) error {
	const timeout = 5 * time.Second
	c, err := net.DialTimeout(network, address, timeout)
	if err != nil {
		return pkgerrors.WithStack(err) // It says what was attempted.
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(timeout)) // It fails only on a closed connection.
	asked := fastcgi.AppendParams(nil, map[string]string{"FCGI_MPXS_CONNS": ""})
	if _, err := c.Write(fastcgi.AppendRecord(nil, fastcgi.GetValues, 0, asked)); err != nil {
		return pkgerrors.WithStack(err)
	}
	var header [fastcgi.HeaderLength]byte
	if _, err := io.ReadFull(c, header[:]); err != nil {
		return pkgerrors.Wrap(err, "the program there does not answer like a FastCGI program")
	}
	if h, ok := fastcgi.ParseHeader(header[:]); !ok || h.Type != fastcgi.GetValuesResult {
		return errors.New("the program there is not a FastCGI program")
	}
	return nil
}
