package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// bodyOf returns the request's body. A web server that does not know its length in advance (chunked, HTTP/2)
// leaves CONTENT_LENGTH out, and closes standard input after the body. Only the bodies of POST and PUT are
// read in this way: a web server need not close the standard input of other requests, and a terminal stays
// open.
func bodyOf(variables map[string]string, stdin io.Reader, timeout time.Duration) io.Reader {
	body := &timeoutReader{reader: stdin, timeout: timeout}
	method := variables["REQUEST_METHOD"]
	switch length := variables["CONTENT_LENGTH"]; {
	case length != "":
		if n, err := strconv.ParseInt(length, 10, 64); err == nil && n >= 0 {
			return io.LimitReader(body, n)
		}
		return body // Package cgienv refuses such a length, and does not read the body.
	case method != http.MethodPost && method != http.MethodPut, isTerminal(stdin):
		return http.NoBody
	}
	return body
}

func isTerminal(r io.Reader) bool {
	file, ok := r.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}

// timeoutReader fails when no byte comes within the timeout. The read that it gave up may go on until the
// process ends.
type timeoutReader struct {
	reader  io.Reader
	timeout time.Duration
	err     error // after a timeout
}

func (t *timeoutReader) Read(b []byte) (int, error) {
	if t.err != nil {
		return 0, t.err
	}
	type result struct {
		data []byte
		err  error
	}
	results := make(chan result, 1)
	go func() {
		own := make([]byte, len(b))
		n, err := t.reader.Read(own)
		results <- result{own[:n], err}
	}()
	timer := time.NewTimer(t.timeout)
	defer timer.Stop()
	select {
	case r := <-results:
		return copy(b, r.data), r.err
	case <-timer.C:
		t.err = fmt.Errorf("no more of it came within %v (request_timeout): %w", t.timeout, os.ErrDeadlineExceeded)
		return 0, t.err
	}
}
