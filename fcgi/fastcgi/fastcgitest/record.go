// Package fastcgitest is a web server's side of FastCGI, for tests. It is written from the specification
// alone, with numbers instead of the product's constants. So it does not share a mistake with them.
package fastcgitest

import (
	"encoding/binary"
	"slices"
	"strconv"
)

// Keep is the flag FCGI_KEEP_CONN.
const Keep = 1

// Record returns a record as it is sent.
func Record(kind byte, id uint16, content []byte, padding int) []byte {
	b := []byte{1, kind, byte(id >> 8), byte(id), byte(len(content) >> 8), byte(len(content)), byte(padding), 0}
	return append(append(b, content...), make([]byte, padding)...)
}

// Begin returns the record that begins a request. 1 is the role of a responder.
func Begin(id uint16, role, flags byte) []byte {
	return Record(1, id, []byte{0, role, flags, 0, 0, 0, 0, 0}, 0)
}

// Abort returns the record that aborts a request.
func Abort(id uint16) []byte { return Record(2, id, nil, 0) }

// GetValues returns the record that asks whether requests can be multiplexed.
func GetValues() []byte { return Record(9, 0, Pair("FCGI_MPXS_CONNS", ""), 0) }

// Pair returns a name and its value.
func Pair(name, value string) (b []byte) {
	for _, s := range []string{name, value} {
		if len(s) < 128 {
			b = append(b, byte(len(s)))
		} else {
			b = binary.BigEndian.AppendUint32(b, uint32(len(s))|0x80000000)
		}
	}
	return append(append(b, name...), value...)
}

// Pairs returns variables in any order.
func Pairs(variables map[string]string) (b []byte) {
	for name, value := range variables {
		b = append(b, Pair(name, value)...)
	}
	return b
}

// Stream returns the content in as many records as it needs, and the empty record that ends it.
func Stream(kind byte, id uint16, content []byte, padding int) (b []byte) {
	const largest = 32 << 10 // as nginx sends them
	for part := range slices.Chunk(content, largest) {
		b = append(b, Record(kind, id, part, padding)...)
	}
	return append(b, Record(kind, id, nil, padding)...)
}

// Request returns a whole request.
func Request(id uint16, flags byte, variables map[string]string, body string) []byte {
	b := Begin(id, 1, flags)
	b = append(b, Stream(4, id, Pairs(variables), 0)...)
	return append(b, Stream(5, id, []byte(body), 0)...)
}

// Get returns the variables of GET /comet.php?query. As from nginx, some are empty.
func Get(query string) map[string]string {
	return map[string]string{
		"GATEWAY_INTERFACE": "CGI/1.1",
		"SERVER_SOFTWARE":   "nginx/1.22.1",
		"SERVER_PROTOCOL":   "HTTP/1.1",
		"REQUEST_METHOD":    "GET",
		"REQUEST_URI":       "/comet.php?" + query,
		"SCRIPT_NAME":       "/comet.php",
		"QUERY_STRING":      query,
		"CONTENT_TYPE":      "",
		"CONTENT_LENGTH":    "",
		"REMOTE_USER":       "",
		"HTTP_HOST":         "intranet.example",
	}
}

// GetStream returns the variables of a browser's EventSource.
func GetStream(query string) map[string]string {
	return With(Get(query), "HTTP_ACCEPT", "text/event-stream")
}

// Post returns the variables of a form of length bytes.
func Post(length int) map[string]string {
	return With(Get(""), "REQUEST_METHOD", "POST", "CONTENT_TYPE", "application/x-www-form-urlencoded",
		"CONTENT_LENGTH", strconv.Itoa(length))
}

// Put returns the variables of a request that publishes an event with data of length bytes.
func Put(id string, length int) map[string]string {
	return With(Get("publish="+id), "REQUEST_METHOD", "PUT", "CONTENT_LENGTH", strconv.Itoa(length))
}

// With sets variables to values, and returns all variables.
func With(variables map[string]string, namesAndValues ...string) map[string]string {
	for pair := range slices.Chunk(namesAndValues, 2) {
		variables[pair[0]] = pair[1]
	}
	return variables
}
