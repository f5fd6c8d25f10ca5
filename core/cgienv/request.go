// Package cgienv answers requests that a web server describes by variables, as CGI (RFC 3875) and FastCGI do.
package cgienv

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"novcomet/core"
)

// UserVariable is the variable by which the settings of a location name the authenticated user.
const UserVariable = "COMET_USER"

// Acceptable returns a copy of the variables, changed so that net/http/cgi and net/http/fcgi accept them.
// These packages answer no request whose protocol, host, path or Content-Length they cannot parse. comet.php
// answers such a request, or refuses it with a status, and so must a program in its place. A [Handler] needs
// the original variables.
func Acceptable(variables map[string]string) map[string]string {
	accepted := map[string]string{}
	maps.Copy(accepted, variables)
	accepted["REQUEST_METHOD"] = cmp.Or(accepted["REQUEST_METHOD"], http.MethodGet)
	delete(accepted, "HTTP_HOST")
	delete(accepted, "CONTENT_LENGTH")
	accepted["REQUEST_URI"] = "/"
	accepted["SERVER_PROTOCOL"] = "HTTP/1.1"
	return accepted
}

// headers are the headers that NovComet reads, by their variables.
var headers = map[string]string{
	"CONTENT_TYPE":          "Content-Type",
	"HTTP_ACCEPT":           "Accept",
	"HTTP_CONTENT_ENCODING": "Content-Encoding",
	"HTTP_LAST_EVENT_ID":    "Last-Event-Id",
	"HTTP_ORIGIN":           "Origin",
	"HTTP_REFERER":          "Referer",
	"HTTP_SEC_FETCH_SITE":   "Sec-Fetch-Site",
}

// NewRequest returns the request that the variables and the body describe. It has only the headers that
// NovComet reads.
//
// cgi.RequestFromMap would take a quarter of the time that a poll needs in all. It also takes the query from
// REQUEST_URI, which lacks what a rewrite added (golang.org/issue/54961), and refuses a request whose
// protocol, Host or path it cannot parse.
func NewRequest(variables map[string]string, body io.Reader) (*http.Request, error) {
	method, length := variables["REQUEST_METHOD"], variables["CONTENT_LENGTH"]
	if method == "" {
		return nil, errors.New("the web server's variables have no REQUEST_METHOD")
	}
	query, given := variables["QUERY_STRING"]
	if !given {
		_, query, _ = strings.Cut(variables["REQUEST_URI"], "?")
	}
	request := &http.Request{
		Method: method, Host: variables["HTTP_HOST"], Header: make(http.Header, len(headers)),
		URL:        &url.URL{Path: variables["SCRIPT_NAME"] + variables["PATH_INFO"], RawQuery: query},
		RemoteAddr: net.JoinHostPort(variables["REMOTE_ADDR"], "0"),
	}
	for variable, name := range headers {
		if value := variables[variable]; value != "" {
			request.Header[name] = []string{value}
		}
	}
	if length != "" {
		n, err := strconv.ParseUint(length, 10, 63)
		if err != nil {
			return nil, fmt.Errorf("CONTENT_LENGTH is %.40q: give a number of bytes", length)
		}
		request.ContentLength = int64(n)
	}
	setBody(request, variables, body)
	return request, nil
}

func setBody(r *http.Request, variables map[string]string, body io.Reader) {
	if variables["CONTENT_LENGTH"] != "" {
		body = &sizedBody{body, r.ContentLength, 0}
	}
	r.Body = io.NopCloser(body)
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
