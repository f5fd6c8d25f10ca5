package soak

import (
	"context"
	"fmt"
	"time"

	"novcomet/examples/internal/launch"
)

// Usage is what comet-fcgi uses.
type Usage struct {
	Files int     `json:"files"` // open files
	MiB   float64 `json:"mib"`   // of memory that is its own (PSS)
}

// exceeds returns by what a usage is more than an earlier one. It is empty if a process that has worked may
// keep that.
func (u Usage) exceeds(earlier Usage) (more string) {
	const files, mib = 16, 24 // Redis has several connections, each to several servers.
	switch {
	case u.Files > earlier.Files+files:
		return fmt.Sprintf("%d open files more", u.Files-earlier.Files)
	case u.MiB > earlier.MiB+mib:
		return fmt.Sprintf("%.0f MiB more", u.MiB-earlier.MiB)
	}
	return ""
}

// measure measures while no page polls. The web server first has to close idle connections, which takes a
// minute.
func (s *soak) measure(ctx context.Context, which int) error {
	if s.options.Usage == nil || !s.options.Server.HasDaemon() {
		return nil
	}
	const patience = 90 * time.Second
	for end := time.Now().Add(patience); ; {
		var err error
		if s.used[which], err = s.options.Usage(s.site.DaemonPID()); err != nil {
			return err
		}
		if s.used[which].exceeds(s.used[0]) == "" || time.Now().After(end) {
			return nil
		}
		if err := launch.Sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}
