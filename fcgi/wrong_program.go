package main

import (
	"fmt"
	"io"
	"strconv"

	"novcomet/core/cgienv"
)

// answerAsCGI answers a web server, or fcgiwrap, that has started this program as a CGI program.
func answerAsCGI(bodyLength string, stdin io.Reader, stdout io.Writer) {
	fmt.Fprint(stdout, "Status: 500 Internal Server Error\r\n"+
		"Content-Type: application/json; charset=utf-8\r\n"+
		"Cache-Control: no-store\r\n\r\n"+
		`{"error":"this is comet-fcgi, a FastCGI backend, but it was started as a CGI program: `+
		`put comet.cgi here instead"}`)
	length, _ := strconv.ParseInt(bodyLength, 10, 64) // If it is no number, there is no body.
	cgienv.Drain(io.LimitReader(stdin, length))
}
