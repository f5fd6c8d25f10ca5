package main

import (
	"io"
	"log/slog"

	"github.com/coreos/go-systemd/v22/journal"

	"novcomet/conf"
	"novcomet/conf/build"
)

// serverLog is the log of comet-fcgi. It groups repeated problems (dedup.go) and never waits for the reader
// of standard error (logqueue.go). A reload can change its level.
type serverLog struct {
	*slog.Logger
	verbatim *slog.Logger // groups nothing; for what a start or reload has to report

	level slog.LevelVar
	dedup *dedupHandler
	queue *logQueue
}

func newServerLog(stderr io.Writer, config conf.Config, withTime bool) *serverLog {
	l := &serverLog{}
	l.setLevel(config)
	handler := func(w io.Writer, level slog.Leveler) slog.Handler {
		return build.LogHandler(w, level, config.LogFormat, withTime)
	}
	l.queue = newLogQueue(stderr, slog.New(handler(stderr, slog.LevelWarn)))
	lines := handler(l.queue, &l.level)
	l.dedup = newDedupHandler(lines)
	l.Logger, l.verbatim = slog.New(l.dedup), slog.New(lines)
	return l
}

func (l *serverLog) setLevel(config conf.Config) {
	l.level.Set(map[string]slog.Level{
		"error": slog.LevelError, "warn": slog.LevelWarn, "info": slog.LevelInfo, "debug": slog.LevelDebug,
	}[config.Log])
}

// close logs what has been counted and writes the queued lines.
func (l *serverLog) close() {
	l.dedup.flush()
	l.queue.close()
}

// journalReadsStderr reports whether standard error goes to systemd's journal, which adds the time to each
// line.
func journalReadsStderr() bool {
	is, err := journal.StderrIsJournalStream()
	return is && err == nil
}
