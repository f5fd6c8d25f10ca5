package main

import (
	"bytes"
	"io"
	"regexp"
)

// notice is a line of a server that is neither a warning nor worse, or a warning of what the demo has set on purpose.
var notice = regexp.MustCompile(`:notice\] ` + // Apache
	`|server started \(lighttpd` +
	`|^time=\S+ level=INFO msg=ready ` + // comet-fcgi
	`|^\{"level":"info"|admin endpoint disabled|automatic HTTPS is completely disabled`) // Caddy

// quiet passes whole lines on, without the notices.
type quiet struct {
	to   io.Writer
	rest []byte // of a line that is still to end
}

func (q *quiet) Write(p []byte) (int, error) {
	q.rest = append(q.rest, p...)
	for {
		line, rest, ended := bytes.Cut(q.rest, []byte("\n"))
		if !ended {
			return len(p), nil
		}
		if !notice.Match(line) {
			q.to.Write(append(line[:len(line):len(line)], '\n'))
		}
		q.rest = rest
	}
}
