package main

import (
	"io"
	"log/slog"

	"novcomet/conf"
	"novcomet/core/gateway"
)

// journal is the log of a process that goes on for months: the level can be changed, and a problem that occurs again and again is
// said once a minute.
type journal struct {
	*slog.Logger
	each     *slog.Logger // says everything, also again: it answers an administrator, who has just done something
	level    slog.LevelVar
	repeated *repeated
}

func newJournal(stderr io.Writer, config conf.Config) *journal {
	j := &journal{}
	j.follow(config)
	handler := gateway.LogHandler(stderr, &j.level, config.LogFormat)
	j.repeated = newRepeated(handler)
	j.Logger, j.each = slog.New(j.repeated), slog.New(handler)
	return j
}

// follow takes over the level of the configuration. The format stays.
func (j *journal) follow(config conf.Config) {
	j.level.Set(map[string]slog.Level{
		"error": slog.LevelError, "warn": slog.LevelWarn, "info": slog.LevelInfo, "debug": slog.LevelDebug,
	}[config.Log])
}

// close says what has been counted and not been said so far.
func (j *journal) close() { j.repeated.sayAll() }
