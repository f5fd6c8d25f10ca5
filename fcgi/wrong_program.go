package main

import (
	"fmt"
	"io"
	"strconv"
)

// answerAsCGI answers a web server, or fcgiwrap, that has started this program as a CGI program. If the body
// were unread, the kernel would reset the connection to Apache's mod_cgid, and the answer would be lost.
func answerAsCGI(bodyLength string, stdin io.Reader, stdout io.Writer) {
	fmt.Fprint(stdout, "Status: 500 Internal Server Error\r\n"+
		"Content-Type: application/json; charset=utf-8\r\n"+
		"Cache-Control: no-store\r\n\r\n"+
		`{"error":"this is comet-fcgi, a FastCGI backend, but it was started as a CGI program: `+
		`put comet.cgi here instead"}`)
	length, _ := strconv.ParseInt(bodyLength, 10, 64) // If it is no number, there is no body.
	_, _ = io.CopyN(io.Discard, stdin, length)
}
