package soak

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"

	"novcomet/examples/internal/launch"
)

// usage is what comet-fcgi uses.
type usage struct {
	Files int     `json:"files"` // open files
	MiB   float64 `json:"mib"`   // of memory that is its own (PSS)
}

// exceeds returns by what a usage is more than an earlier one: more than what a process may keep that has
// worked.
func (u usage) exceeds(earlier usage) (more string, _ bool) {
	const files, mib = 8, 24
	switch {
	case u.Files > earlier.Files+files:
		return fmt.Sprintf("%d open files more", u.Files-earlier.Files), true
	case u.MiB > earlier.MiB+mib:
		return fmt.Sprintf("%.0f MiB more", u.MiB-earlier.MiB), true
	}
	return "", false
}

// measure measures while no page polls. The web server first has to close idle connections, which takes a
// minute.
func (s *soak) measure(ctx context.Context, which int) error {
	if s.site == nil || !s.options.Server.HasDaemon() || len(s.options.Disturb) == 0 {
		return nil
	}
	const patience = 90 * time.Second
	for end := time.Now().Add(patience); ; {
		var err error
		if s.used[which], err = usageOf(s.site.DaemonPID()); err != nil {
			return err
		}
		if _, more := s.used[which].exceeds(s.used[0]); !more || time.Now().After(end) {
			return nil
		}
		if err := launch.Sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

func usageOf(pid int) (u usage, _ error) {
	directory := filepath.Join("/proc", strconv.Itoa(pid))
	files, err := os.ReadDir(filepath.Join(directory, "fd"))
	if err != nil {
		return u, errors.Wrap(err, "counting open files")
	}
	text, err := os.ReadFile(filepath.Join(directory, "smaps_rollup"))
	if err != nil {
		return u, errors.Wrap(err, "measuring memory")
	}
	_, after, _ := strings.Cut(string(text), "\nPss:")
	var kib float64
	if _, err := fmt.Sscan(after, &kib); err != nil {
		return u, errors.Wrap(err, "measuring memory")
	}
	return usage{len(files), kib / 1024}, nil
}
