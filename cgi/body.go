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

// bodyOf returns the request's body. A web server that does not know its length in advance (chunked, HTTP/2) leaves CONTENT_LENGTH
// out, and ends standard input after the body. Only POST and PUT are read in this way: a web server need not end the standard
// input of other requests, and a terminal never does.
func bodyOf(variables map[string]string, stdin io.Reader, patience time.Duration) io.Reader {
	body := &patient{reader: stdin, patience: patience}
	method := variables["REQUEST_METHOD"]
	switch length := variables["CONTENT_LENGTH"]; {
	case length != "":
		n, _ := strconv.ParseInt(length, 10, 64) // The gateway refuses what is not a number.
		return io.LimitReader(body, n)
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

// patient reads from reader, and gives up when no byte comes for so long. The read that it gave up may go on until the process ends.
type patient struct {
	reader   io.Reader
	patience time.Duration
	gaveUp   error
}

func (p *patient) Read(b []byte) (int, error) {
	if p.gaveUp != nil {
		return 0, p.gaveUp
	}
	type result struct {
		data []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		own := make([]byte, len(b))
		n, err := p.reader.Read(own)
		read <- result{own[:n], err}
	}()
	timer := time.NewTimer(p.patience)
	defer timer.Stop()
	select {
	case r := <-read:
		return copy(b, r.data), r.err
	case <-timer.C:
		p.gaveUp = fmt.Errorf("no more of it came within %v (request_timeout): %w", p.patience, os.ErrDeadlineExceeded)
		return 0, p.gaveUp
	}
}
