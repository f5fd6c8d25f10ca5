package core_test

import (
	"io"
	"log/slog"
	"strings"
	"sync"
)

var discard = slog.New(slog.DiscardHandler)

// recorded returns a log, and what was logged: a line for each record.
func recorded() (log *slog.Logger, lines func() []string) {
	w := &safeWriter{}
	return slog.New(slog.NewTextHandler(w, nil)), w.lines
}

type safeWriter struct {
	mu   sync.Mutex
	text strings.Builder
}

var _ io.Writer = (*safeWriter)(nil)

func (w *safeWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *safeWriter) lines() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Split(strings.TrimSpace(w.text.String()), "\n")
}
