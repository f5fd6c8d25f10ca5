package gateway

import (
	"io"
	"net/http"
	"net/http/cgi"
	"net/url"
	"strings"

	"github.com/pkg/errors"
)

// Request makes an http.Request of a web server's variables, which it changes, and of the body.
//
// cgi.RequestFromMap does the work, but two things it does are not what a program in the place of a PHP script needs: it
// takes the query from REQUEST_URI, and so misses what a rewrite added (golang.org/issue/54961), and it refuses a request
// whose Host or path is no part of a URL. Both are kept from it, and put into the request afterwards.
func Request(variables map[string]string, body io.Reader) (*http.Request, error) {
	host, uri := variables["HTTP_HOST"], variables["REQUEST_URI"]
	delete(variables, "HTTP_HOST")
	variables["REQUEST_URI"] = "/"
	variables["SERVER_PROTOCOL"] = "HTTP/1.1" // whatever it was: "HTTP/3" would be refused
	request, err := cgi.RequestFromMap(variables)
	if err != nil {
		return nil, errors.Wrap(err, "the web server's variables")
	}
	query, given := variables["QUERY_STRING"]
	if !given {
		_, query, _ = strings.Cut(uri, "?")
	}
	request.URL = &url.URL{Path: variables["SCRIPT_NAME"] + variables["PATH_INFO"], RawQuery: query}
	request.Host = host
	request.Body = io.NopCloser(body)
	return request, nil
}
