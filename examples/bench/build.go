package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"

	"novcomet/examples/internal/launch"
)

// temporary begins the names of this process's directories: another bench that runs has others.
var temporary = fmt.Sprintf("novcomet-bench-%d-", os.Getpid())

// build builds comet-fcgi from the tree; remove removes it.
func build(ctx context.Context) (program string, remove func(), err error) {
	source, err := launch.Source(ctx)
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", temporary)
	if err != nil {
		return "", nil, errors.Wrap(err, "making a directory to build in")
	}
	program = filepath.Join(dir, "comet-fcgi")
	if _, err := output(ctx, "go", "-C", source, "build", "-o", program, "./fcgi"); err != nil {
		os.RemoveAll(dir)
		return "", nil, err
	}
	return program, func() { os.RemoveAll(dir) }, nil
}

// commit names what is measured; it is empty where git does not know.
func commit(ctx context.Context) string {
	name, err := output(ctx, "git", "describe", "--always", "--dirty", "--abbrev=10")
	if err != nil {
		return ""
	}
	return name
}

func output(ctx context.Context, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var said bytes.Buffer
	cmd.Stderr = &said
	text, err := cmd.Output()
	return strings.TrimSpace(string(text)), errors.Wrapf(err, "%s: %s", strings.Join(argv, " "), said.String())
}
