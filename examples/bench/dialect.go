package main

import (
	"bytes"
	"encoding/binary"
	"strconv"
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

// fastCGI is the dialect between nginx and a FastCGI program: a connection for each request, everything in
// one write.
type fastCGI struct{}

func (fastCGI) keeps() bool { return false }

const (
	beginRequest, endRequest, params, stdin, stdout = 1, 3, 4, 5, 6
	headerLength                                    = 8
)

func (fastCGI) request(query, accept string) []byte {
	b := appendRecord(nil, beginRequest, []byte{0, 1, 0, 0, 0, 0, 0, 0})
	b = appendRecord(b, params, variables(query, accept))
	b = appendRecord(b, params, nil)
	return appendRecord(b, stdin, nil)
}

func appendRecord(b []byte, kind byte, content []byte) []byte {
	padding := -len(content) & 7
	b = append(b, 1, kind, 0, 1)
	b = binary.BigEndian.AppendUint16(b, uint16(len(content)))
	b = append(b, byte(padding), 0)
	b = append(b, content...)
	return append(b, make([]byte, padding)...)
}

func (fastCGI) body(b []byte) (text []byte, complete bool) {
	var output []byte
	for len(b) >= headerLength {
		kind := b[1]
		content := int(binary.BigEndian.Uint16(b[4:]))
		end := headerLength + content + int(b[6])
		if len(b) < end {
			break
		}
		switch kind {
		case stdout:
			output = append(output, b[headerLength:headerLength+content]...)
		case endRequest:
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
