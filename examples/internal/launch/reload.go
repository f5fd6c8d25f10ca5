package launch

import (
	"github.com/pkg/errors"
)

// Reload makes the web server read its configuration again, as `systemctl reload` does, and returns at once. The processes
// that were there answer what they have, close connections that nothing is asked on, and end; others take what comes.
func (s *Site) Reload() error {
	if !s.options.Server.Reloads() {
		return errors.Errorf("%s is not reloaded here", s.options.Server)
	}
	return errors.Wrap(s.server.cmd.Process.Signal(variants[s.options.Server].reload), "reloading the web server")
}
