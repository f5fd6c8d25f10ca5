package main

import (
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/pkg/errors"
	"golang.org/x/sys/unix"

	"novcomet/conf"
)

// listen returns the listeners to serve on, from the first of these that there is: what --listen says,
// sockets that systemd passes, a listening socket on fd 0 (spawn-fcgi, mod_fcgid, lighttpd), what comet.yaml
// says.
func listen(config conf.Config, byFlag bool) ([]net.Listener, error) {
	if byFlag {
		return one(listenOn(config.Listen, config.Socket))
	}
	if passed := activation.Files(true); len(passed) > 0 {
		return all(passed)
	}
	if isListening(unix.Stdin) {
		return one(net.FileListener(os.Stdin))
	}
	if config.Listen != "" {
		return one(listenOn(config.Listen, config.Socket))
	}
	return nil, errNoSocket
}

func one(l net.Listener, err error) ([]net.Listener, error) {
	if err != nil {
		return nil, errors.WithStack(err)
	}
	return []net.Listener{l}, nil
}

// all returns listeners on the sockets that systemd passes.
func all(passed []*os.File) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, socket := range passed {
		if !isListening(int(socket.Fd())) {
			return nil, errors.Errorf("%s, passed by systemd, is not a listening socket: the socket unit must have ListenStream= and Accept=no", socket.Name())
		}
		l, err := net.FileListener(socket)
		if err != nil {
			return nil, errors.Wrapf(err, "%s, passed by systemd", socket.Name())
		}
		socket.Close()
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// isListening reports whether the file descriptor is a listening socket. A connected one would not do: it is
// what inetd passes.
func isListening(fd int) bool {
	listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return err == nil && listening == 1
}

func listenOn(address string, socket conf.Socket) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, "unix:")
	if !isUnix {
		l, err := net.Listen("tcp", address)
		return l, errors.WithStack(err)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	// Until the socket has its mode and group, nobody else may connect.
	mask := unix.Umask(0o177)
	l, err := net.Listen("unix", path)
	unix.Umask(mask)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Wrapf(err, "the directory %[1]s is missing; make it, writable for the group of comet-fcgi's user, with "+
			"\"install -d -m 775 -g www-data %[1]s\"", filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.WithStack(err)
	}
	if err := admit(path, socket); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// removeStale removes a socket file that a process left behind that was killed: nobody answers on it.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return nil // There is none, or net.Listen will say what is wrong.
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return errors.Errorf("%s is in the way, and not a socket: remove it, or listen elsewhere", path)
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
		return errors.Errorf("%s: another process listens here already", path)
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return errors.Wrap(err, "look whether somebody listens here already")
	}
	return errors.Wrap(os.Remove(path), "remove a stale socket")
}

// admit lets the web server in.
func admit(path string, socket conf.Socket) error {
	if socket.Group != "" {
		group, err := groupID(socket.Group)
		if err != nil {
			return err
		}
		if err := os.Chown(path, -1, group); err != nil {
			return errors.Wrapf(err, "socket.group %s: only a member of the group, or root, can give it the socket", socket.Group)
		}
	}
	return errors.Wrap(os.Chmod(path, socket.Mode), "socket.mode")
}

func groupID(name string) (int, error) {
	if id, err := strconv.Atoi(name); err == nil {
		return id, nil
	}
	group, err := user.LookupGroup(name)
	if err != nil {
		return 0, errors.Wrap(err, "socket.group")
	}
	id, err := strconv.Atoi(group.Gid)
	return id, errors.Wrap(err, "socket.group")
}
