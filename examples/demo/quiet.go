package main

import (
	"bytes"
	"io"
	"regexp"
)

// notice matches a log line of a server that is not a warning, or that warns of a setting of the demo.
var notice = regexp.MustCompile(`:notice\] ` + // Apache
	`|server started \(lighttpd` +
	`|^time=\S+ level=INFO msg=ready ` + // comet-fcgi
	`|^\{"level":"info"|admin endpoint disabled|automatic HTTPS is completely disabled`) // Caddy

// quietWriter writes complete lines to another writer, except notices.
type quietWriter struct {
	to   io.Writer
	rest []byte // the beginning of an incomplete line
}

func (q *quietWriter) Write(p []byte) (int, error) {
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
