package gateway

import (
	"io"
	"log/slog"
)

// Log returns the log of a program that a web server or systemd has started: one line for each problem from that level
// on, without the time, for both put their own before it.
func Log(stderr io.Writer, from slog.Level) *slog.Logger {
	return slog.New(LogHandler(stderr, from, "text"))
}

// LogHandler is what Log writes with; the format is "text" or "json".
func LogHandler(stderr io.Writer, from slog.Leveler, format string) slog.Handler {
	options := &slog.HandlerOptions{
		Level: from,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && len(groups) == 0 {
				return slog.Attr{}
			}
			if err, ok := a.Value.Any().(error); ok { // Without the stack that pkg/errors adds: it takes many lines.
				a.Value = slog.StringValue(err.Error())
			}
			return a
		},
	}
	if format == "json" {
		return slog.NewJSONHandler(stderr, options)
	}
	return slog.NewTextHandler(stderr, options)
}
