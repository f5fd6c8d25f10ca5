package build

import (
	"io"
	"log/slog"
)

// LogHandler returns a handler that writes one line for each record of that level or above. The format is
// "text" or "json". Without withTime the lines have no time; that is for a reader that adds its own.
func LogHandler(stderr io.Writer, level slog.Leveler, format string, withTime bool) slog.Handler {
	options := &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && len(groups) == 0 && a.Value.Kind() == slog.KindTime && !withTime {
				return slog.Attr{}
			}
			if err, ok := a.Value.Any().(error); ok { // pkg/errors would add its stack, which has many lines.
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
