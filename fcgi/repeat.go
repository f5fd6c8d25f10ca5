package main

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// repeated is a slog.Handler that says each problem once. When it occurs again within a minute, that is counted, and said when
// the minute is over: the last occurrence with how many there were. A directory that can't be written must not fill a disk with
// as many lines as there are publications.
//
// The same problem is one of the same level and the same words, whatever its attributes are, for these may be a visitor's.
// What is no problem, below slog.LevelWarn, is neither counted nor held back.
type repeated struct {
	next   slog.Handler
	shared *occurrences
}

// occurrences are shared by a handler and all that were made of it with attributes.
type occurrences struct {
	mu sync.Mutex
	of map[problem]*occurred
}

type problem struct {
	level   slog.Level
	message string
}

// occurred is what happened of a problem since it was last said.
type occurred struct {
	last  slog.Record
	next  slog.Handler // of the last
	again int
	timer *time.Timer // to the end of the minute
}

const (
	silence     = time.Minute
	maxProblems = 100 // Messages are a part of the program, so there are fewer.
)

func newRepeated(next slog.Handler) *repeated {
	return &repeated{next, &occurrences{of: map[problem]*occurred{}}}
}

func (r *repeated) Enabled(ctx context.Context, level slog.Level) bool {
	return r.next.Enabled(ctx, level)
}

func (r *repeated) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &repeated{r.next.WithAttrs(attrs), r.shared}
}

func (r *repeated) WithGroup(name string) slog.Handler {
	return &repeated{r.next.WithGroup(name), r.shared}
}

// Handle says the record, or counts it.
func (r *repeated) Handle(ctx context.Context, record slog.Record) error {
	if record.Level >= slog.LevelWarn && r.shared.count(r.next, record) {
		return nil
	}
	return r.next.Handle(ctx, record)
}

// count reports whether the problem has been said within a minute, and so is only counted.
func (o *occurrences) count(next slog.Handler, record slog.Record) bool {
	p := problem{record.Level, record.Message}
	o.mu.Lock()
	defer o.mu.Unlock()
	if of := o.of[p]; of != nil {
		of.again++
		of.last, of.next = record.Clone(), next
		return true
	}
	if len(o.of) < maxProblems {
		o.of[p] = &occurred{timer: time.AfterFunc(silence, func() { o.say(p) })}
	}
	return false
}

// say says how often the problem occurred, when its minute is over. One that did not is forgotten.
func (o *occurrences) say(p problem) {
	o.mu.Lock()
	of := o.of[p]
	if of == nil || of.again == 0 {
		delete(o.of, p)
		o.mu.Unlock()
		return
	}
	record, next := of.take()
	of.timer.Reset(silence)
	o.mu.Unlock()
	_ = next.Handle(context.Background(), record) // A log that can't be written has nobody to tell.
}

// take returns the last occurrence, with how many there were.
func (o *occurred) take() (slog.Record, slog.Handler) {
	record := o.last
	record.AddAttrs(slog.Int("times", o.again), slog.String("within", silence.String()))
	o.again, o.last = 0, slog.Record{}
	return record, o.next
}

// sayAll says what has been counted, before a program ends.
func (r *repeated) sayAll() {
	r.shared.mu.Lock()
	counted := r.shared.of
	r.shared.of = map[problem]*occurred{}
	r.shared.mu.Unlock()
	for _, of := range counted {
		of.timer.Stop()
		if of.again > 0 {
			record, next := of.take()
			_ = next.Handle(context.Background(), record)
		}
	}
}
