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
	host, uri, length := variables["HTTP_HOST"], variables["REQUEST_URI"], variables["CONTENT_LENGTH"]
	if strings.Trim(length, "0123456789") != "" {
		return nil, errors.Errorf("CONTENT_LENGTH is %.40q: give a number of bytes", length)
	}
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
	if length != "" {
		request.Body = io.NopCloser(&whole{body, request.ContentLength, 0})
	}
	return request, nil
}

// whole is a body of a known length. A shorter one has lost its end, for example because the client reset its connection.
type whole struct {
	body   io.Reader
	length int64
	read   int64
}

func (w *whole) Read(b []byte) (int, error) {
	n, err := w.body.Read(b)
	w.read += int64(n)
	if w.read > w.length {
		return 0, errors.Errorf("it has more than the %d bytes of its Content-Length", w.length)
	}
	if errors.Is(err, io.EOF) && w.read < w.length {
		err = errors.Wrapf(io.ErrUnexpectedEOF, "it ended after %d of the %d bytes of its Content-Length", w.read, w.length)
	}
	return n, err
}
