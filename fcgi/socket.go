package main

import (
	"fmt"
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

// listen returns listeners from the first of these sources that is used: --listen, sockets that systemd
// passes, a listening socket on file descriptor 0 (spawn-fcgi, mod_fcgid, lighttpd), listen in comet.yaml.
func listen(config conf.Config, byFlag bool) ([]net.Listener, error) {
	if byFlag {
		return single(listenOn(config.Listen, config.Socket))
	}
	if files := activation.Files(true); len(files) > 0 {
		return systemdListeners(files)
	}
	if isListening(unix.Stdin) {
		l, err := net.FileListener(os.Stdin)
		return single(l, errors.Wrap(err, "file descriptor 0"))
	}
	if config.Listen != "" {
		return single(listenOn(config.Listen, config.Socket))
	}
	return nil, errNoSocket
}

func single(l net.Listener, err error) ([]net.Listener, error) {
	if err != nil {
		return nil, err
	}
	return []net.Listener{l}, nil
}

func systemdListeners(files []*os.File) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, file := range files {
		if !isListening(int(file.Fd())) {
			return nil, fmt.Errorf("%s, passed by systemd, is not a listening socket: the socket unit must have "+
				"ListenStream= and Accept=no", file.Name())
		}
		l, err := net.FileListener(file)
		if err != nil {
			return nil, errors.Wrapf(err, "%s, passed by systemd", file.Name())
		}
		file.Close()
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// isListening reports whether the file descriptor is a listening socket. A connected one, as inetd passes,
// is not.
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
	// Until the socket has its mode and group, only its owner may connect.
	mask := unix.Umask(0o177)
	l, err := net.Listen("unix", path)
	unix.Umask(mask)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Wrapf(err, "the directory %[1]s is missing; make it, writable for the group of "+
			"comet-fcgi's user, with \"install -d -m 775 -g www-data %[1]s\"", filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.WithStack(err)
	}
	if err := setAccess(path, socket); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// removeStale removes the socket file of a process that was killed. It fails if the path is anything else.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return nil // The path is free, or net.Listen returns a better error.
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s is in the way, and not a socket: remove it, or listen elsewhere", path)
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
		return fmt.Errorf("%s: another process listens here already", path)
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return errors.Wrap(err, "check whether another process listens here already")
	}
	return errors.Wrap(os.Remove(path), "remove a stale socket")
}

// setAccess sets the mode and group of the socket file, so that the web server may connect.
func setAccess(path string, socket conf.Socket) error {
	if socket.Group != "" {
		group, err := groupID(socket.Group)
		if err != nil {
			return err
		}
		if err := os.Chown(path, -1, group); err != nil {
			return errors.Wrapf(err, "socket.group %s: only a member of the group, or root, can give it the socket",
				socket.Group)
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
