package main

import (
	"bytes"
	"strconv"

	"novcomet/fcgi/fastcgi"
)

// dialect encodes requests and recognizes answers.
type dialect interface {
	request(query, accept string) []byte
	// body returns the body of the answer in b, and whether the answer is complete.
	body(b []byte) (text []byte, complete bool)
	// keeps reports whether the connection is kept for the next request.
	keeps() bool
}

// The header Accept of fetch, and of EventSource.
const (
	acceptAnything = "*/*"
	acceptStream   = "text/event-stream"
)

// A browser's headers of an ordinary length.
const (
	browser  = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
	language = "en-GB,en;q=0.9,de;q=0.8"
	cookie   = "session=0123456789abcdef0123456789abcdef"
)

// overHTTP is the dialect between a browser and a web server.
type overHTTP struct{ path string }

func (h overHTTP) keeps() bool { return true }

func (h overHTTP) request(query, accept string) []byte {
	return []byte("GET " + h.path + "?" + query + " HTTP/1.1\r\nHost: localhost\r\nAccept: " + accept + "\r\n" +
		"Accept-Language: " + language + "\r\nUser-Agent: " + browser + "\r\nCookie: " + cookie + "\r\n\r\n")
}

func (h overHTTP) body(b []byte) ([]byte, bool) {
	head, body, complete := bytes.Cut(b, []byte("\r\n\r\n"))
	if !complete {
		return nil, false
	}
	if _, length, ok := bytes.Cut(head, []byte("Content-Length: ")); ok {
		length, _, _ = bytes.Cut(length, []byte("\r\n"))
		n, err := strconv.Atoi(string(length))
		return body, err == nil && len(body) >= n
	}
	return body, bytes.HasSuffix(body, []byte("0\r\n\r\n"))
}

// fastCGI is the dialect between nginx and a FastCGI program: everything in one write.
type fastCGI struct {
	keep   bool // the connection; false: each request has its own
	status bool // every request asks how many polls wait
}

func (f fastCGI) keeps() bool { return f.keep }

func (f fastCGI) request(query, accept string) []byte {
	const id = 1
	begin := []byte{0, fastcgi.RoleResponder, 0, 0, 0, 0, 0, 0}
	if f.keep {
		begin[2] = fastcgi.FlagKeepConn
	}
	b := fastcgi.AppendRecord(nil, fastcgi.BeginRequest, id, begin)
	b = fastcgi.AppendRecord(b, fastcgi.Params, id, variables(query, accept))
	if f.status {
		b = fastcgi.AppendRecord(b, fastcgi.Params, id, fastcgi.AppendParams(nil, map[string]string{"COMET_STATUS": "on"}))
	}
	b = fastcgi.AppendRecord(b, fastcgi.Params, id, nil)
	return fastcgi.AppendRecord(b, fastcgi.Stdin, id, nil)
}

func (fastCGI) body(b []byte) (text []byte, complete bool) {
	var output []byte
	for len(b) >= fastcgi.HeaderLength {
		h, _ := fastcgi.ParseHeader(b)
		end := fastcgi.HeaderLength + h.Content + h.Padding
		if len(b) < end {
			break
		}
		switch h.Type {
		case fastcgi.Stdout:
			output = append(output, b[fastcgi.HeaderLength:fastcgi.HeaderLength+h.Content]...)
		case fastcgi.EndRequest:
			_, text, _ = bytes.Cut(output, []byte("\r\n\r\n"))
			return text, true
		}
		b = b[end:]
	}
	return nil, false
}

// variables are those of nginx' fastcgi_params, about 900 bytes.
func variables(query, accept string) []byte {
	var b []byte
	for _, pair := range [][2]string{
		{"QUERY_STRING", query},
		{"REQUEST_METHOD", "GET"},
		{"CONTENT_TYPE", ""},
		{"CONTENT_LENGTH", ""},
		{"SCRIPT_NAME", "/comet.php"},
		{"REQUEST_URI", "/comet.php?" + query},
		{"DOCUMENT_URI", "/comet.php"},
		{"DOCUMENT_ROOT", "/var/www/html"},
		{"SERVER_PROTOCOL", "HTTP/1.1"},
		{"REQUEST_SCHEME", "http"},
		{"GATEWAY_INTERFACE", "CGI/1.1"},
		{"SERVER_SOFTWARE", "nginx/1.22.1"},
		{"REMOTE_ADDR", "127.0.0.1"},
		{"REMOTE_PORT", "50000"},
		{"REMOTE_USER", ""},
		{"SERVER_ADDR", "127.0.0.1"},
		{"SERVER_PORT", "80"},
		{"SERVER_NAME", "www.example.org"},
		{"REDIRECT_STATUS", "200"},
		{"HTTP_HOST", "www.example.org"},
		{"HTTP_CONNECTION", "keep-alive"},
		{"HTTP_USER_AGENT", browser},
		{"HTTP_ACCEPT", accept},
		{"HTTP_SEC_FETCH_SITE", "same-origin"},
		{"HTTP_SEC_FETCH_MODE", "cors"},
		{"HTTP_REFERER", "http://www.example.org/news/index.html"},
		{"HTTP_ACCEPT_ENCODING", "gzip, deflate"},
		{"HTTP_ACCEPT_LANGUAGE", language},
		{"HTTP_COOKIE", cookie},
	} {
		b = append(b, byte(len(pair[0])), byte(len(pair[1]))) // Each is shorter than 128.
		b = append(append(b, pair[0]...), pair[1]...)
	}
	return b
}
