// Package cgienv answers requests that a web server describes by variables, as CGI (RFC 3875) and FastCGI do.
package cgienv

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"net/url"
	"strings"

	pkgerrors "github.com/pkg/errors"

	"novcomet/core"
)

// UserVariable is the variable with which a location names the authenticated user itself.
const UserVariable = "COMET_USER"

// NewRequest makes a request of the variables, which it changes, and of the body.
//
// It calls cgi.RequestFromMap, but corrects two things that are wrong for a program in the place of a PHP
// script. That function takes the query from REQUEST_URI, which lacks what a rewrite added
// (golang.org/issue/54961). And it refuses a request whose Host or path does not fit into a URL.
func NewRequest(variables map[string]string, body io.Reader) (*http.Request, error) {
	host, uri, length := variables["HTTP_HOST"], variables["REQUEST_URI"], variables["CONTENT_LENGTH"]
	if strings.Trim(length, "0123456789") != "" {
		return nil, fmt.Errorf("CONTENT_LENGTH is %.40q: give a number of bytes", length)
	}
	delete(variables, "HTTP_HOST")
	variables["REQUEST_URI"] = "/"
	variables["SERVER_PROTOCOL"] = "HTTP/1.1" // HTTP/3 would be refused.
	request, err := cgi.RequestFromMap(variables)
	if err != nil {
		return nil, pkgerrors.Wrap(err, "the web server's variables")
	}
	query, given := variables["QUERY_STRING"]
	if !given {
		_, query, _ = strings.Cut(uri, "?")
	}
	request.URL = &url.URL{Path: variables["SCRIPT_NAME"] + variables["PATH_INFO"], RawQuery: query}
	request.Host = host
	request.Body = io.NopCloser(body)
	if length != "" {
		request.Body = io.NopCloser(&sizedBody{body, request.ContentLength, 0})
	}
	return request, nil
}

// sizedBody is a body of a known length. A shorter one has lost its end, for example because the client reset
// its connection.
type sizedBody struct {
	body   io.Reader
	length int64
	read   int64
}

func (b *sizedBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.read += int64(n)
	if b.read > b.length {
		return 0, fmt.Errorf("it has more than the %d bytes of its Content-Length", b.length)
	}
	if errors.Is(err, io.EOF) && b.read < b.length {
		err = fmt.Errorf("it ended after %d of the %d bytes of its Content-Length: %w",
			b.read, b.length, io.ErrUnexpectedEOF)
	}
	return n, err
}

// ClientOf returns who sends the request.
//
// REMOTE_USER alone proves nothing: nginx passes the name in any Authorization header, checked or not. A web
// server that has checked the password also sets AUTH_TYPE.
func ClientOf(variables map[string]string) core.Client {
	c := core.Client{Port: variables["SERVER_PORT"]}
	if name, ok := variables[UserVariable]; ok {
		c.User = name
	} else if variables["AUTH_TYPE"] != "" {
		c.User = variables["REMOTE_USER"]
	}
	return c
}
