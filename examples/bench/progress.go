package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// progress is a line on a terminal that shows how far the bench is. Anywhere else, such as in a file, it
// writes nothing.
type progress struct {
	terminal io.Writer // nil: none
	start    time.Time
}

func newProgress(w io.Writer) *progress {
	p := &progress{start: time.Now()}
	if f, ok := w.(*os.File); ok && isTerminal(f) {
		p.terminal = f
	}
	return p
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// show replaces the line.
func (p *progress) show(what string) {
	const clearLine = "\r\x1b[K"
	if p.terminal != nil {
		fmt.Fprintf(p.terminal, "%s%4.0f s  %s", clearLine, time.Since(p.start).Seconds(), what)
	}
}

// done ends the line. Nothing is shown afterwards.
func (p *progress) done() {
	if p.terminal != nil {
		fmt.Fprintln(p.terminal)
		p.terminal = nil
	}
}
