package main

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// dialect is how a request is written and an answer recognised.
type dialect interface {
	request(query, accept string) []byte
	// body returns the body of the answer in b, and whether the answer is complete.
	body(b []byte) (text []byte, complete bool)
	keeps() bool // the connection, for the next request
}

// overHTTP is what a browser speaks with a web server.
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

// fastCGI is what nginx speaks with a FastCGI program: one connection for each request, everything in one write.
type fastCGI struct{}

func (fastCGI) keeps() bool { return false }

const (
	beginRequest, endRequest, params, stdin, stdout = 1, 3, 4, 5, 6
	headerLength                                    = 8
)

func (fastCGI) request(query, accept string) []byte {
	b := record(nil, beginRequest, []byte{0, 1, 0, 0, 0, 0, 0, 0})
	b = record(b, params, pairs(query, accept))
	b = record(b, params, nil)
	return record(b, stdin, nil)
}

func record(b []byte, kind byte, content []byte) []byte {
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
