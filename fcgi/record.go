package main

import (
	"bytes"
	"encoding/binary"
)

// The records of FastCGI 1.0, https://fastcgi-archives.github.io/FastCGI_Specification.html, section 3.3 and 8.

type recordType uint8

const (
	beginRequest    recordType = 1
	abortRequest    recordType = 2
	endRequest      recordType = 3
	params          recordType = 4
	stdin           recordType = 5
	stdout          recordType = 6
	getValues       recordType = 9
	getValuesResult recordType = 10
	unknownType     recordType = 11
)

const (
	version       = 1
	headerLength  = 8
	maxContent    = 65535
	roleResponder = 1
	flagKeepConn  = 1
)

// What an endRequest record says.
const (
	requestComplete = 0
	cantMultiplex   = 1
	unknownRole     = 3
)

// header is what every record begins with.
type header struct {
	kind    recordType
	id      uint16 // of the request; 0: about the connection
	content int    // bytes that follow, at most maxContent
	padding int    // bytes that follow those, to be ignored
}

func parseHeader(b []byte) (h header, ok bool) {
	return header{
		kind:    recordType(b[1]),
		id:      binary.BigEndian.Uint16(b[2:]),
		content: int(binary.BigEndian.Uint16(b[4:])),
		padding: int(b[6]),
	}, b[0] == version
}

// isHTTP reports whether the first bytes of a connection begin an HTTP request.
func isHTTP(b []byte) bool {
	method, _, _ := bytes.Cut(b, []byte(" "))
	return len(method) >= 3 && !bytes.ContainsFunc(method, func(r rune) bool { return r < 'A' || r > 'Z' })
}

// appendRecord appends a record without padding; content has at most maxContent bytes.
func appendRecord(b []byte, kind recordType, id uint16, content []byte) []byte {
	b = append(b, version, byte(kind))
	b = binary.BigEndian.AppendUint16(b, id)
	b = binary.BigEndian.AppendUint16(b, uint16(len(content)))
	b = append(b, 0, 0)
	return append(b, content...)
}

// appendOutput appends as many records as it takes to send the content.
func appendOutput(b []byte, id uint16, content []byte) []byte {
	for len(content) > 0 {
		n := min(len(content), maxContent)
		b = appendRecord(b, stdout, id, content[:n])
		content = content[n:]
	}
	return b
}

// withoutEnd returns the records of an answer up to those that end it.
func withoutEnd(answer []byte) []byte {
	for at := 0; at+headerLength <= len(answer); {
		h, _ := parseHeader(answer[at:])
		if h.kind != stdout || h.content == 0 {
			return answer[:at]
		}
		at += headerLength + h.content + h.padding
	}
	return answer
}

// appendEnd appends the record that ends a request without an answer.
func appendEnd(b []byte, id uint16, status byte) []byte {
	return appendRecord(b, endRequest, id, []byte{0, 0, 0, 0, status, 0, 0, 0})
}
