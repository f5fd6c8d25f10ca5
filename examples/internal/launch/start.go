package launch

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"github.com/pkg/errors"
)

// prepare makes the temporary directory of a site.
func prepare(ctx context.Context, o Options) (*Site, error) {
	programs, err := build(ctx)
	if err != nil {
		return nil, err
	}
	if o.Root == "" {
		o.Root = filepath.Join(programs.source, "examples", "browser")
	}
	name, credential, err := ordinaryUser()
	if err != nil {
		return nil, err
	}
	// Not in t.TempDir: its path is too long for a socket, and other users cannot enter it.
	dir, err := os.MkdirTemp("", "novcomet-")
	if err != nil {
		return nil, errors.Wrap(err, "making a temporary directory")
	}
	s := &Site{options: o, dir: dir, credential: credential, User: name, Events: o.Directory}
	if s.Events == "" {
		s.Events = filepath.Join(dir, "events")
	}
	if err := s.fill(programs); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// start starts comet-fcgi, if the server needs it, and then the server.
func (s *Site) start(ctx context.Context, v variant) error {
	port, err := FreePort(s.options.Port)
	if err != nil {
		return err
	}
	s.URL = "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if len(v.sockets) > 0 {
		if s.options.HoldSocket {
			network, path := s.locate(v.sockets[0])
			if network != "unix" {
				return fmt.Errorf("%s has no socket file to hold", s.options.Server)
			}
			if s.held, err = listen(path, s.credential); err != nil {
				return err
			}
		}
		if err := s.StartDaemon(ctx); err != nil {
			return err
		}
		if len(v.sockets) > 1 {
			if s.second, err = s.startListening(ctx, v.sockets[1]); err != nil {
				return err
			}
		}
	}
	if err := s.configure(v, port); err != nil {
		return err
	}
	argv, err := s.command(v)
	if err != nil {
		return err
	}
	if s.server, err = s.run(nil, argv...); err != nil {
		return err
	}
	return s.waitForAnswer(ctx)
}

// waitForAnswer waits until the server answers a request for the front page with any status.
func (s *Site) waitForAnswer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return Until(ctx, startInterval, s.server.done, func() error {
		request, err := http.NewRequestWithContext(ctx, http.MethodHead, s.URL+"/", nil)
		if err != nil {
			return err
		}
		answer, err := client.Do(request)
		if err != nil {
			return err
		}
		return answer.Body.Close()
	})
}
