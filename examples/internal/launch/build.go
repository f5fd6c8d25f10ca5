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
	cgi, fcgi []byte
	source    string // the module's directory
}

var built struct {
	sync.Mutex
	programs *programs
}

// build builds the binaries once in a process, from the clone that the current directory is in.
func build(ctx context.Context) (programs, error) {
	built.Lock()
	defer built.Unlock()
	if built.programs != nil {
		return *built.programs, nil
	}
	source, err := Source(ctx)
	if err != nil {
		return programs{}, err
	}
	p := programs{source: source}
	dir, err := os.MkdirTemp("", "novcomet-build-")
	if err != nil {
		return programs{}, errors.Wrap(err, "making a directory to build in")
	}
	defer os.RemoveAll(dir)
	for _, b := range []struct {
		pkg  string
		into *[]byte
	}{{"novcomet/cgi", &p.cgi}, {"novcomet/fcgi", &p.fcgi}} {
		out := filepath.Join(dir, "program")
		if _, err := gotool(ctx, source, "build", "-o", out, b.pkg); err != nil {
			return programs{}, err
		}
		if *b.into, err = os.ReadFile(out); err != nil {
			return programs{}, errors.Wrap(err, "reading the binary")
		}
	}
	built.programs = &p
	return p, nil
}

// Source returns the directory of NovComet's module. Other modules of the repository build its programs there.
func Source(ctx context.Context) (string, error) {
	dir, err := gotool(ctx, "", "list", "-m", "-f", "{{.Dir}}", "novcomet")
	return dir, errors.WithMessage(err, "run this inside a clone of NovComet")
}

// gotool runs the go command in a directory; "" is the current one.
func gotool(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		return "", errors.Wrapf(err, "go %s: %s", args[0], stderr.String())
	}
	return string(bytes.TrimSpace(output)), nil
}
