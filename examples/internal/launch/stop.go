package launch

import (
	"os"
	"time"

	"github.com/pkg/errors"
)

// Ended returns a channel that is closed when the server has ended.
func (s *Site) Ended() <-chan struct{} {
	return s.server.done
}

// Log returns the output of the server and NovComet so far, including the error log.
func (s *Site) Log() string {
	return s.log.String()
}

// Kill kills NovComet's programs (SIGKILL). The web server continues to run, and restarts its own programs.
func (s *Site) Kill() error {
	err := killBelow(s.dir)
	for _, p := range []*process{s.daemon, s.second} {
		if err == nil && p != nil {
			<-p.done
		}
	}
	return err
}

// Stop ends the server and all processes that it has started, and waits for their end. It then removes
// everything that they wrote, except for events in Options.Directory. Further calls return the same error.
func (s *Site) Stop() error {
	s.stop.Do(func() { s.stopped = s.end() })
	return s.stopped
}

func (s *Site) end() error {
	var failed error
	note := func(err error) {
		if failed == nil {
			failed = err
		}
	}
	if s.log != nil {
		s.log.mute() // Servers log the polls that they cut off.
	}
	if s.daemon != nil {
		note(s.daemon.end())
	}
	if s.second != nil {
		note(s.second.end())
	}
	if s.server != nil {
		note(s.endServer())
	}
	note(killBelow(s.dir))
	if s.held != nil {
		note(s.held.Close())
	}
	if s.log != nil {
		note(s.log.close())
	}
	note(errors.Wrap(os.RemoveAll(s.dir), "removing the temporary directory"))
	return failed
}

// endServer ends the server. Meanwhile it kills NovComet's programs again and again: Apache waits for them,
// and may be starting another one.
func (s *Site) endServer() error {
	ended := make(chan error, 1)
	go func() { ended <- s.server.end() }()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		if err := killBelow(s.dir); err != nil {
			return err
		}
		select {
		case err := <-ended:
			return err
		case <-ticker.C:
		}
	}
}
