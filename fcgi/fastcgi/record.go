// Package fastcgi encodes and decodes FastCGI 1.0:
// https://fastcgi-archives.github.io/FastCGI_Specification.html, sections 3.3, 3.4 and 8.
package fastcgi

import (
	"bytes"
	"encoding/binary"
)

// Type is the type of a record.
type Type uint8

// Types of records.
const (
	BeginRequest    Type = 1
	AbortRequest    Type = 2
	EndRequest      Type = 3
	Params          Type = 4
	Stdin           Type = 5
	Stdout          Type = 6
	GetValues       Type = 9
	GetValuesResult Type = 10
	UnknownType     Type = 11
)

// Constants of the specification.
const (
	Version       = 1
	HeaderLength  = 8     // bytes
	MaxContent    = 65535 // bytes of one record
	RoleResponder = 1
	FlagKeepConn  = 1
)

// Protocol statuses of an [EndRequest] record.
const (
	RequestComplete = 0
	CannotMultiplex = 1
	UnknownRole     = 3
)

// Header is the header of a record.
type Header struct {
	Type    Type
	ID      uint16 // of the request; 0: the record is about the connection
	Content int    // length in bytes, at most MaxContent
	Padding int    // length in bytes; follows the content and has no meaning
}

// ParseHeader reads the first [HeaderLength] bytes of a record. It reports whether they have the right
// version.
func ParseHeader(b []byte) (h Header, ok bool) {
	return Header{
		Type:    Type(b[1]),
		ID:      binary.BigEndian.Uint16(b[2:]),
		Content: int(binary.BigEndian.Uint16(b[4:])),
		Padding: int(b[6]),
	}, b[0] == Version
}

// IsHTTP reports whether the first bytes of a connection are those of an HTTP request.
func IsHTTP(b []byte) bool {
	method, _, _ := bytes.Cut(b, []byte(" "))
	isNotUpper := func(r rune) bool { return r < 'A' || r > 'Z' }
	return len(method) >= 3 && !bytes.ContainsFunc(method, isNotUpper)
}

// AppendRecord appends a record without padding. The content must not be longer than [MaxContent].
func AppendRecord(b []byte, t Type, id uint16, content []byte) []byte {
	b = append(b, Version, byte(t))
	b = binary.BigEndian.AppendUint16(b, id)
	b = binary.BigEndian.AppendUint16(b, uint16(len(content)))
	b = append(b, 0, 0)
	return append(b, content...)
}

// AppendStdout appends the content in as many [Stdout] records as it needs.
func AppendStdout(b []byte, id uint16, content []byte) []byte {
	return appendStream(b, Stdout, id, content)
}

func appendStream(b []byte, t Type, id uint16, content []byte) []byte {
	for len(content) > 0 {
		n := min(len(content), MaxContent)
		b = AppendRecord(b, t, id, content[:n])
		content = content[n:]
	}
	return b
}

// AppendEnd appends the record that ends a request.
func AppendEnd(b []byte, id uint16, protocolStatus byte) []byte {
	return AppendRecord(b, EndRequest, id, []byte{0, 0, 0, 0, protocolStatus, 0, 0, 0})
}

// AppendRequest appends a request, which does not ask to keep the connection.
func AppendRequest(b []byte, id uint16, params map[string]string, body []byte) []byte {
	b = AppendRecord(b, BeginRequest, id, []byte{0, RoleResponder, 0, 0, 0, 0, 0, 0})
	b = appendStream(b, Params, id, AppendParams(nil, params))
	b = AppendRecord(b, Params, id, nil)
	b = appendStream(b, Stdin, id, body)
	return AppendRecord(b, Stdin, id, nil)
}

// AppendUnknownType appends the answer to a record about the connection whose type is not known.
func AppendUnknownType(b []byte, t Type) []byte {
	return AppendRecord(b, UnknownType, 0, []byte{byte(t), 0, 0, 0, 0, 0, 0, 0})
}
