package launch

import (
	"os"
	"time"

	"github.com/pkg/errors"
)

// Ended is closed when the server has ended, by Stop or of itself.
func (s *Site) Ended() <-chan struct{} {
	return s.server.done
}

// Log returns what the server and NovComet have said so far, to standard error or the error log.
func (s *Site) Log() string {
	return s.log.String()
}

// Kill ends NovComet's programs as kill -9 does; the web server stays, and starts those that are its own again.
func (s *Site) Kill() error {
	err := killBelow(s.dir)
	for _, p := range []*process{s.daemon, s.second} {
		if err == nil && p != nil {
			<-p.done
		}
	}
	return err
}

// Stop ends the server and everything it started, waits for them, and removes what they wrote, except
// for events in a directory of Options. It may be called more than once; the error is the same then.
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
		s.log.mute() // what a server says of polls that are cut off
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

// endServer ends the server, and all the while what waits in NovComet's programs for it: Apache ends only when nobody
// waits any more, and may just be starting another program.
func (s *Site) endServer() error {
	ended := make(chan error, 1)
	go func() { ended <- s.server.end() }()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if err := killBelow(s.dir); err != nil {
			return err
		}
		select {
		case err := <-ended:
			return err
		case <-again.C:
		}
	}
}
