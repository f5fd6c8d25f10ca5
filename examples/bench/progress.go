package main

import (
	"fmt"
	"io"
	"time"
)

// progress is the line that says how far the bench is.
type progress struct {
	w     io.Writer
	start time.Time
}

func newProgress(w io.Writer) *progress { return &progress{w, time.Now()} }

func (p *progress) say(what string) {
	const clearLine = "\r\x1b[K"
	fmt.Fprintf(p.w, "%s%4.0f s  %s", clearLine, time.Since(p.start).Seconds(), what)
}

func (p *progress) done() { fmt.Fprintln(p.w) }
