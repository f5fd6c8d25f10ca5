package launch

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// buildTime bounds `go build`, which compiles the standard library too on a fresh machine.
const buildTime = 3 * time.Minute

// programs are the binaries, kept in memory so that nothing is left behind on disk, and where they come from.
type programs struct {
	cgi, fcgi, host []byte
	source          string // the module's directory
}

var built struct {
	sync.Mutex
	programs *programs
}

// build builds the binaries once in a process, from the module of the current directory.
func build(ctx context.Context) (programs, error) {
	built.Lock()
	defer built.Unlock()
	if built.programs != nil {
		return *built.programs, nil
	}
	file, err := gotool(ctx, "env", "GOMOD")
	if err != nil {
		return programs{}, err
	}
	p := programs{source: filepath.Dir(file)}
	if _, err := os.Stat(filepath.Join(p.source, "examples", "nginx")); err != nil {
		return programs{}, errors.Errorf("%s is not NovComet's source: run this inside a clone of it", p.source)
	}
	dir, err := os.MkdirTemp("", "novcomet-build-")
	if err != nil {
		return programs{}, errors.Wrap(err, "making a directory to build in")
	}
	defer os.RemoveAll(dir)
	for _, b := range []struct {
		pkg  string
		into *[]byte
	}{{"novcomet/cgi", &p.cgi}, {"novcomet/fcgi", &p.fcgi}, {"novcomet/examples/demo/launch/host", &p.host}} {
		out := filepath.Join(dir, "program")
		if _, err := gotool(ctx, "build", "-o", out, b.pkg); err != nil {
			return programs{}, err
		}
		if *b.into, err = os.ReadFile(out); err != nil {
			return programs{}, errors.Wrap(err, "reading the binary")
		}
	}
	built.programs = &p
	return p, nil
}

func gotool(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	output, err := cmd.Output()
	if err != nil {
		return "", errors.Wrapf(err, "go %s %s", args[0], said.String())
	}
	return string(bytes.TrimSpace(output)), nil
}
