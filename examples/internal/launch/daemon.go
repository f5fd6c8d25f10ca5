package launch

import (
	"context"
	"net"
	"os"
	"path/filepath"

	"github.com/pkg/errors"
)

// StartDaemon starts comet-fcgi again, after StopDaemon, and returns when it accepts connections.
func (s *Site) StartDaemon(ctx context.Context) error {
	if !s.options.Server.HasDaemon() {
		return errors.Errorf("%s has no comet-fcgi beside it", s.options.Server)
	}
	if s.held != nil {
		fd, err := s.held.File()
		if err != nil {
			return errors.Wrap(err, "handing over the listening socket")
		}
		defer fd.Close()
		s.daemon, err = s.run(fd, s.fcgi()...)
		return err // the socket accepts connections all the time
	}
	var err error
	s.daemon, err = s.daemonOn(ctx, variants[s.options.Server].sockets[0])
	return err
}

// daemonOn starts a comet-fcgi that listens for itself on a socket that the shipped files name.
func (s *Site) daemonOn(ctx context.Context, socket string) (*process, error) {
	network, address := s.place(socket)
	listen := address
	if network == "unix" {
		listen = "unix:" + address
	}
	p, err := s.run(nil, append(s.fcgi(), "--listen", listen)...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	err = Until(ctx, startInterval, p.done, func() error {
		c, err := net.Dial(network, address)
		if err != nil {
			return err
		}
		return c.Close()
	})
	return p, errors.Wrap(err, "starting comet-fcgi")
}

// fcgi is the command line that the units of examples/systemd have.
func (s *Site) fcgi() []string {
	return []string{filepath.Join(s.dir, canonical[bin], "comet-fcgi"), "--config", s.File()}
}

// File is the path of comet.yaml.
func (s *Site) File() string { return filepath.Join(s.dir, canonical[settings]) }

// Socket is the socket of the comet-fcgi beside the server, of the first where there are several; "" where there is none.
func (s *Site) Socket() string {
	sockets := variants[s.options.Server].sockets
	if len(sockets) == 0 {
		return ""
	}
	_, address := s.place(sockets[0])
	return address
}

// StopDaemon ends comet-fcgi alone, by SIGTERM, and returns when it has ended; the web server stays.
func (s *Site) StopDaemon() error {
	if s.daemon == nil {
		return errors.Errorf("%s: no comet-fcgi was started beside it", s.options.Server)
	}
	return s.daemon.end()
}

// listen makes the socket that HoldSocket keeps, with the mode and owner of examples/systemd.
func listen(path string, owner *credential) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, errors.Wrap(err, "listening")
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Wrap(err, "the socket's mode")
	}
	return l, own(path, owner)
}
