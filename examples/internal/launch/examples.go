package launch

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// The paths in the example files.
const (
	cgiBin         = "/usr/lib/cgi-bin"
	bin            = "/usr/local/bin"
	socket         = "/run/novcomet/comet.sock"
	firstSocket    = "/run/novcomet/comet-1.sock"
	secondSocket   = "/run/novcomet/comet-2.sock"
	lighttpdSocket = "/run/lighttpd/comet.sock"
	settings       = "/etc/novcomet/comet.yaml"
	passwords      = "comet.htpasswd"
)

// canonical maps each path in the example files to its place in the temporary directory.
var canonical = map[string]string{
	cgiBin:         "cgi-bin",
	bin:            "bin",
	socket:         "comet.sock",
	firstSocket:    "comet-1.sock",
	secondSocket:   "comet-2.sock",
	lighttpdSocket: "lighttpd.sock",
	settings:       "comet.yaml",

	"/etc/nginx/" + passwords:    passwords,
	"/etc/apache2/" + passwords:  passwords,
	"/etc/lighttpd/" + passwords: passwords,
}

// The addresses of machines in the files of examples/cluster.
const (
	firstMachine  = "10.0.0.1:9000"
	secondMachine = "10.0.0.2:9000"
	redisMachine  = "10.0.0.10:6379"
)

// chooseMachines chooses an address on this machine for each machine of a cluster.
func (s *Site) chooseMachines() error {
	s.machines = map[string]string{redisMachine: s.options.Redis}
	for _, machine := range []string{firstMachine, secondMachine} {
		port, err := FreePort(0)
		if err != nil {
			return err
		}
		s.machines[machine] = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	return nil
}

// locate returns the site's address for a socket in the example files.
func (s *Site) locate(socket string) (network, address string) {
	if machine, ok := s.machines[socket]; ok {
		return "tcp", machine
	}
	return "unix", filepath.Join(s.dir, canonical[socket])
}

// relocatedExample returns the text of an example file with the site's paths and addresses.
func (s *Site) relocatedExample(file string, required []string) (string, error) {
	file = filepath.Join(s.source, "examples", file)
	example, err := os.ReadFile(file)
	if err != nil {
		return "", errors.Wrap(err, "reading an example file")
	}
	text, err := relocate(string(example), s.dir, required)
	if err != nil {
		return "", errors.Wrap(err, file)
	}
	for machine, address := range s.machines {
		text = strings.ReplaceAll(text, machine, address)
	}
	return text, nil
}

// relocate replaces the paths in the text of an example file. It returns an error if the text lacks a
// required path, so that the table of paths and the files cannot diverge.
func relocate(text, dir string, required []string) (string, error) {
	for _, path := range required {
		if !strings.Contains(text, path) {
			return "", fmt.Errorf("no %s: change the file, or the table of paths in package launch", path)
		}
	}
	for path, place := range canonical {
		text = strings.ReplaceAll(text, path, filepath.Join(dir, place))
	}
	return text, nil
}
