package launch

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/pkg/errors"
)

// StartDaemon starts comet-fcgi again after StopDaemon. It returns when comet-fcgi accepts connections.
func (s *Site) StartDaemon(ctx context.Context) error {
	if !s.options.Server.HasDaemon() {
		return fmt.Errorf("%s starts its programs itself", s.options.Server)
	}
	if s.held != nil {
		socket, err := s.held.File()
		if err != nil {
			return errors.Wrap(err, "handing over the listening socket")
		}
		defer socket.Close()
		s.daemon, err = s.run(socket, s.fcgiCommand()...)
		return err // The kernel accepts connections meanwhile.
	}
	var err error
	s.daemon, err = s.startListening(ctx, variants[s.options.Server].sockets[0])
	return err
}

// startListening starts a comet-fcgi that opens its socket itself. The example files name the socket.
func (s *Site) startListening(ctx context.Context, socket string) (*process, error) {
	network, address := s.locate(socket)
	listen := address
	if network == "unix" {
		listen = "unix:" + address
	}
	p, err := s.run(nil, append(s.fcgiCommand(), "--listen", listen)...)
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

// fcgiCommand returns the command line of the units in examples/systemd.
func (s *Site) fcgiCommand() []string {
	return []string{filepath.Join(s.dir, canonical[bin], "comet-fcgi"), "--config", s.File()}
}

// File returns the path of comet.yaml.
func (s *Site) File() string { return filepath.Join(s.dir, canonical[settings]) }

// Socket returns the path of comet-fcgi's socket. With several comet-fcgi it is the socket of the first. The
// path is empty if the server starts its programs itself.
func (s *Site) Socket() string {
	sockets := variants[s.options.Server].sockets
	if len(sockets) == 0 {
		return ""
	}
	_, address := s.locate(sockets[0])
	return address
}

// DaemonEnded returns a channel that is closed when comet-fcgi has ended.
func (s *Site) DaemonEnded() <-chan struct{} { return s.daemon.done }

// StopDaemon ends comet-fcgi by SIGTERM, and waits for its end. The web server continues to run.
func (s *Site) StopDaemon() error {
	if s.daemon == nil {
		return fmt.Errorf("%s starts its programs itself", s.options.Server)
	}
	return s.daemon.end()
}

// listen opens the socket for Options.HoldSocket, with the mode of the units in examples/systemd.
func listen(path string, owner *credential) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, errors.Wrap(err, "listening")
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Wrap(err, "changing the socket's mode")
	}
	return l, changeOwner(path, owner)
}
