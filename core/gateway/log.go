package gateway

import (
	"io"
	"log/slog"
)

// Log returns the log of a program that a web server or systemd has started: one line for each problem, without the
// time, for both put their own before it.
func Log(stderr io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && len(groups) == 0 {
				return slog.Attr{}
			}
			return a
		},
	}))
}
