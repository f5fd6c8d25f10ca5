package launch

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"github.com/pkg/errors"
)

// prepare makes the temporary directory: the binaries, comet.yaml, the pages, the events.
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
	// Not below a test's own directory: that is closed to other users, and too long for a socket's path.
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

func (s *Site) start(ctx context.Context, v variant) error {
	port, err := FreePort(s.options.Port)
	if err != nil {
		return err
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	s.URL = "http://" + address
	if v.daemon {
		if s.options.HoldSocket {
			network, path := s.place(v.sockets[0])
			if network != "unix" {
				return errors.Errorf("%s has no socket file to hold", s.options.Server)
			}
			if s.held, err = listen(path, s.credential); err != nil {
				return err
			}
		}
		if err := s.StartDaemon(ctx); err != nil {
			return err
		}
		if v.several != "" {
			if s.second, err = s.daemonOn(ctx, v.sockets[1]); err != nil {
				return err
			}
		}
	}
	if err := s.configure(v, port); err != nil {
		return err
	}
	argv, err := s.command(v, address)
	if err != nil {
		return err
	}
	if s.server, err = s.run(nil, argv...); err != nil {
		return err
	}
	return s.answers(ctx)
}

// answers waits until the port answers a request for the front page, with whatever status.
func (s *Site) answers(ctx context.Context) error {
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
