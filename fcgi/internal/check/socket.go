package check

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"novcomet/fcgi/fastcgi"
)

const startDaemon = "start comet-fcgi, and run systemctl status comet-fcgi.socket comet-fcgi.service"

// checkSockets tests whether comet-fcgi answers on its sockets.
func (c *checker) checkSockets() {
	c.topic = "socket"
	if len(c.sockets) == 0 {
		c.ok("not tested: another program passes the socket to comet-fcgi; name one with --listen unix:…")
	}
	for _, address := range c.sockets {
		network := "tcp"
		if path, ok := strings.CutPrefix(address, "unix:"); ok {
			network, address = "unix", path
			if !c.checkSocketFile(path) {
				continue
			}
		}
		switch err := probeFastCGI(network, address); {
		case err == nil:
			c.ok("a FastCGI program answers on %s", address)
		case errors.Is(err, unix.ECONNREFUSED):
			c.problem(startDaemon, "no program answers on %s", address)
		case errors.Is(err, os.ErrPermission):
			c.warn("run the check as the user of comet-fcgi; if the web server may not connect either, "+
				"set SocketGroup= in comet-fcgi.socket, or socket.group in comet.yaml, to its group",
				"%s may not connect to %s", userName(os.Geteuid()), address)
		default:
			c.problem(startDaemon, "%s: %v", address, err)
		}
	}
}

// checkSocketFile examines the rights of a socket file. It reports whether a connection makes sense.
func (c *checker) checkSocketFile(path string) bool {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		c.problem(startDaemon, "%v", err)
		return false
	case info.Mode()&os.ModeSocket == 0:
		c.problem("remove it, and "+startDaemon, "%s (%s) is not a socket", path, describe(info))
		return false
	}
	c.ok("%s: %s", path, describe(info))
	if info.Mode()&0o002 != 0 {
		c.warn("set SocketMode=0660 and SocketGroup=www-data in comet-fcgi.socket, "+
			"or socket.mode and socket.group in comet.yaml",
			"every user of this machine may connect, and claim to be any user")
	}
	return true
}

// probeFastCGI sends a management record, which every FastCGI program answers.
func probeFastCGI(network, address string) error {
	const timeout = 5 * time.Second
	c, err := net.DialTimeout(network, address, timeout)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	return getValues(c)
}

// getValues asks a FastCGI program for a value that every such program knows.
func getValues(c io.ReadWriter) error {
	asked := fastcgi.AppendParams(nil, map[string]string{"FCGI_MPXS_CONNS": ""})
	if _, err := c.Write(fastcgi.AppendRecord(nil, fastcgi.GetValues, 0, asked)); err != nil {
		return err
	}
	var header [fastcgi.HeaderLength]byte
	if _, err := io.ReadFull(c, header[:]); err != nil {
		return fmt.Errorf("the program there does not answer like a FastCGI program: %w", err)
	}
	if h, ok := fastcgi.ParseHeader(header[:]); !ok || h.Type != fastcgi.GetValuesResult {
		return errors.New("the program there is not a FastCGI program")
	}
	return nil
}
