package launch

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// buildTime limits the builds. On a fresh machine they also compile the standard library.
const buildTime = 3 * time.Minute

// programs are NovComet's binaries. They are kept in memory, so that nothing stays on disk.
type programs struct {
	cgi, fcgi []byte
	source    string // the directory of NovComet's module
}

var built struct {
	sync.Mutex
	programs *programs
}

// build builds the binaries once in each process, from the clone that contains the current directory.
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
	for pkg, binary := range map[string]*[]byte{"novcomet/cgi": &p.cgi, "novcomet/fcgi": &p.fcgi} {
		out := filepath.Join(dir, "program")
		if _, err := runGo(ctx, source, "build", "-o", out, pkg); err != nil {
			return programs{}, err
		}
		if *binary, err = os.ReadFile(out); err != nil {
			return programs{}, errors.Wrap(err, "reading the binary")
		}
	}
	built.programs = &p
	return p, nil
}

// Source returns the directory of NovComet's module. It fails outside of a clone of NovComet.
func Source(ctx context.Context) (string, error) {
	dir, err := runGo(ctx, "", "list", "-m", "-f", "{{.Dir}}", "novcomet")
	if err != nil {
		return "", fmt.Errorf("run this inside a clone of NovComet: %w", err)
	}
	return dir, nil
}

// runGo runs the go command in a directory and returns its output. An empty dir is the current directory.
func runGo(ctx context.Context, dir string, args ...string) (string, error) {
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
