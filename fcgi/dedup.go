package main

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// dedupHandler is a slog.Handler that logs each problem once a minute. The first occurrence is logged at
// once. Further ones are counted; when the minute ends, the last one is logged with their number. So a
// directory that cannot be written does not fill a disk with a line for each publication.
//
// Records below slog.LevelWarn are no problems and pass unchanged.
type dedupHandler struct {
	slog.Handler
	*dedupGroups
}

// dedupGroups are shared by a handler and all handlers derived from it.
type dedupGroups struct {
	mu     sync.Mutex
	groups map[problem]*dedupGroup
}

// problem is what the records of a group have in common.
type problem struct {
	level   slog.Level
	message string
	cause   string
}

// dedupGroup counts the occurrences of a problem since one was logged.
type dedupGroup struct {
	count int
	last  slog.Record
	next  slog.Handler // handles last
	timer *time.Timer  // until the minute ends
}

const (
	dedupPeriod = time.Minute
	maxGroups   = 100 // by message and cause; as many more by message alone; further problems are not grouped
)

func newDedupHandler(next slog.Handler) *dedupHandler {
	return &dedupHandler{next, &dedupGroups{groups: map[problem]*dedupGroup{}}}
}

// WithAttrs implements slog.Handler.
func (h *dedupHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &dedupHandler{h.Handler.WithAttrs(attrs), h.dedupGroups}
}

// WithGroup implements slog.Handler.
func (h *dedupHandler) WithGroup(name string) slog.Handler {
	return &dedupHandler{h.Handler.WithGroup(name), h.dedupGroups}
}

// Handle implements slog.Handler.
func (h *dedupHandler) Handle(ctx context.Context, record slog.Record) error {
	if record.Level >= slog.LevelWarn && h.count(h.Handler, record) {
		return nil
	}
	return h.Handler.Handle(ctx, record)
}

// count counts the record and returns true if its problem has been logged within a minute.
func (g *dedupGroups) count(next slog.Handler, record slog.Record) bool {
	p := problem{record.Level, record.Message, causeOf(record)}
	g.mu.Lock()
	defer g.mu.Unlock()
	group := g.groups[p]
	if group == nil && len(g.groups) >= maxGroups {
		// Causes may have no limit, but the messages are a part of the program, and few.
		p.cause = ""
		group = g.groups[p]
	}
	if group != nil {
		group.count++
		group.last, group.next = record.Clone(), next
		return true
	}
	if len(g.groups) < 2*maxGroups {
		g.groups[p] = &dedupGroup{timer: time.AfterFunc(dedupPeriod, func() { g.endPeriod(p) })}
	}
	return false
}

// causeOf returns the text that distinguishes two problems with the same message: a panic, or the innermost
// error. The text of an outer error often names the event or the file, so visitors could make any number of
// groups with it.
func causeOf(record slog.Record) (cause string) {
	record.Attrs(func(a slog.Attr) bool {
		if a.Key != "error" && a.Key != "panic" {
			return true
		}
		cause = a.Value.String()
		if err, ok := a.Value.Any().(error); ok {
			cause = innermost(err).Error()
		}
		return false
	})
	return cause
}

// innermost follows the last error where one wraps several: "%w: %w" is a kind of error, then the cause.
func innermost(err error) error {
	for {
		var inner error
		switch err := err.(type) {
		case interface{ Unwrap() error }:
			inner = err.Unwrap()
		case interface{ Unwrap() []error }:
			if all := err.Unwrap(); len(all) > 0 {
				inner = all[len(all)-1]
			}
		}
		if inner == nil {
			return err
		}
		err = inner
	}
}

// endPeriod logs the last occurrence of the minute, and starts the next minute. A problem that did not occur
// in the minute is forgotten.
func (g *dedupGroups) endPeriod(p problem) {
	g.mu.Lock()
	group := g.groups[p]
	if group == nil || group.count == 0 {
		delete(g.groups, p)
		g.mu.Unlock()
		return
	}
	summary, next := group.summaryLocked()
	group.timer.Reset(dedupPeriod)
	g.mu.Unlock()
	_ = next.Handle(context.Background(), summary) // An error of the log cannot be logged.
}

// summaryLocked returns the last occurrence with the number of occurrences, and starts to count anew.
func (g *dedupGroup) summaryLocked() (slog.Record, slog.Handler) {
	summary := g.last
	summary.AddAttrs(slog.Int("times", g.count), slog.String("within", dedupPeriod.String()))
	g.count, g.last = 0, slog.Record{}
	return summary, g.next
}

// flush logs what has been counted, before the process ends.
func (g *dedupGroups) flush() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, group := range g.groups {
		group.timer.Stop()
		if group.count > 0 {
			summary, next := group.summaryLocked()
			_ = next.Handle(context.Background(), summary)
		}
	}
	clear(g.groups)
}
