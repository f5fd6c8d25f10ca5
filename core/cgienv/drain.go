package cgienv

import (
	"io"
	"time"
)

// Drain reads the rest of a request's body: at most 16 MiB, the largest max_request, and for at most 5 s. A
// CGI program calls it after its answer. If a part of the body is unread when the program ends, the kernel
// resets the connection to Apache's mod_cgid, and the answer is lost.
func Drain(body io.Reader) {
	const most, patience = 16 << 20, 5 * time.Second
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.CopyN(io.Discard, body, most)
	}()
	select {
	case <-done:
	case <-time.After(patience):
	}
}
