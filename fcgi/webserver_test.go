package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"novcomet/core/servertest"
)

// This file has a web server's side of FastCGI. It is written from the specification alone, with numbers
// instead of the product's constants. So it does not share a mistake with them.

// record returns a record as it is sent.
func record(kind byte, id uint16, content []byte, padding int) []byte {
	b := []byte{1, kind, byte(id >> 8), byte(id), byte(len(content) >> 8), byte(len(content)), byte(padding), 0}
	return append(append(b, content...), make([]byte, padding)...)
}

func beginRecord(id uint16, role, flags byte) []byte {
	return record(1, id, []byte{0, role, flags, 0, 0, 0, 0, 0}, 0)
}

func pair(name, value string) (b []byte) {
	for _, s := range []string{name, value} {
		if len(s) < 128 {
			b = append(b, byte(len(s)))
		} else {
			b = binary.BigEndian.AppendUint32(b, uint32(len(s))|0x80000000)
		}
	}
	return append(append(b, name...), value...)
}

func pairs(variables map[string]string) (b []byte) {
	for name, value := range variables {
		b = append(b, pair(name, value)...)
	}
	return b
}

// streamRecords returns the content in as many records as it needs, and the empty record that ends it.
func streamRecords(kind byte, id uint16, content []byte, padding int) (b []byte) {
	const largest = 32 << 10 // as nginx sends them
	for len(content) > 0 {
		n := min(len(content), largest)
		b = append(b, record(kind, id, content[:n], padding)...)
		content = content[n:]
	}
	return append(b, record(kind, id, nil, padding)...)
}

const keepConn = 1 // the flag FCGI_KEEP_CONN

// requestRecords returns a whole request.
func requestRecords(id uint16, flags byte, variables map[string]string, body string) []byte {
	b := beginRecord(id, 1, flags)
	b = append(b, streamRecords(4, id, pairs(variables), 0)...)
	return append(b, streamRecords(5, id, []byte(body), 0)...)
}

// get returns the variables of GET /comet.php?query. As from nginx, some are empty.
func get(query string) map[string]string {
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

// post returns the variables of a form of length bytes.
func post(length int) map[string]string {
	return with(get(""), "REQUEST_METHOD", "POST", "CONTENT_TYPE", "application/x-www-form-urlencoded",
		"CONTENT_LENGTH", strconv.Itoa(length))
}

// with sets variables to values, and returns all variables.
func with(variables map[string]string, namesAndValues ...string) map[string]string {
	for i := 0; i < len(namesAndValues); i += 2 {
		variables[namesAndValues[i]] = namesAndValues[i+1]
	}
	return variables
}

// webServer is one connection of a web server to comet-fcgi.
type webServer struct {
	net.Conn
	in *bufio.Reader
}

func newWebServer(conn net.Conn) *webServer { return &webServer{conn, bufio.NewReader(conn)} }

// connect connects to the path of a socket, or to a host:port.
func connect(t testing.TB, address string) *webServer {
	t.Helper()
	conn, err := dial(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(2 * servertest.Patience))
	return newWebServer(conn)
}

func dial(address string) (net.Conn, error) {
	if filepath.IsAbs(address) {
		return net.Dial("unix", address)
	}
	return net.Dial("tcp", address)
}

// webServers are many connections.
type webServers struct{ all []*webServer }

// connectMany opens n connections.
func connectMany(t testing.TB, address string, n int) *webServers {
	t.Helper()
	many := &webServers{}
	t.Cleanup(many.close)
	for range n {
		conn, err := dial(address)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(2 * servertest.Patience))
		many.all = append(many.all, newWebServer(conn))
	}
	return many
}

// close closes the connections, and keeps nothing of them in memory.
func (many *webServers) close() {
	for _, w := range many.all {
		w.Close()
	}
	many.all = nil
}

func (w *webServer) send(t testing.TB, records ...[]byte) {
	t.Helper()
	if _, err := w.Write(bytes.Join(records, nil)); err != nil {
		t.Fatal(err)
	}
}

// receive returns the next record.
func (w *webServer) receive() (kind byte, id uint16, content []byte, err error) {
	var header [8]byte
	if _, err := io.ReadFull(w.in, header[:]); err != nil {
		return 0, 0, nil, err
	}
	if header[0] != 1 {
		return 0, 0, nil, fmt.Errorf("a record of version %d", header[0])
	}
	content = make([]byte, int(binary.BigEndian.Uint16(header[4:]))+int(header[6]))
	if _, err = io.ReadFull(w.in, content); errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // The header is a part of the record.
	}
	return header[1], binary.BigEndian.Uint16(header[2:]), content[:len(content)-int(header[6])], err
}

func (w *webServer) wantRecord(t testing.TB, kind byte, id uint16, content []byte) {
	t.Helper()
	gotKind, gotID, got, err := w.receive()
	if err != nil || gotKind != kind || gotID != id || !bytes.Equal(got, content) {
		t.Fatalf("record of type %d, id %d: %q, %v; want type %d, id %d: %q",
			gotKind, gotID, got, err, kind, id, content)
	}
}

// response is how a request ended.
type response struct {
	ended  byte // FCGI_REQUEST_COMPLETE: 0, FCGI_CANT_MPX_CONN: 1, FCGI_UNKNOWN_ROLE: 3
	status int
	header http.Header
	body   string
}

// response reads the response to a request up to its end.
func (w *webServer) response(id uint16) (response, error) {
	var out []byte
	for {
		kind, of, content, err := w.receive()
		switch {
		case err != nil:
			return response{}, fmt.Errorf("after %.1000q: %w", out, err)
		case of != id:
			return response{}, fmt.Errorf("a record of type %d with id %d instead of %d", kind, of, id)
		case kind == 3 && len(content) == 8:
			return parseResponse(content[4], out)
		case kind == 6:
			out = append(out, content...)
		default:
			return response{}, fmt.Errorf("a record of type %d: %q", kind, content)
		}
	}
}

func parseResponse(ended byte, out []byte) (response, error) {
	r := response{ended: ended}
	if ended != 0 || len(out) == 0 { // refused or aborted
		return r, nil
	}
	in := bufio.NewReader(bytes.NewReader(out))
	header, err := textproto.NewReader(in).ReadMIMEHeader()
	if err != nil {
		return r, fmt.Errorf("the header of %q: %w", out, err)
	}
	r.header, r.status = http.Header(header), http.StatusOK
	if status, _, _ := strings.Cut(header.Get("Status"), " "); status != "" {
		if r.status, err = strconv.Atoi(status); err != nil {
			return r, fmt.Errorf("the status of %q: %w", out, err)
		}
	}
	body, err := io.ReadAll(in)
	r.body = string(body)
	return r, err
}

// wantResponse reads the response to a request. Its body must contain the text.
func (w *webServer) wantResponse(t testing.TB, id uint16, status int, text string) {
	t.Helper()
	r, err := w.response(id)
	if err != nil {
		t.Fatal(err)
	}
	if r.ended != 0 || r.status != status || !strings.Contains(r.body, text) {
		t.Errorf("request %d: ended %d, HTTP %d %s, want HTTP %d %s", id, r.ended, r.status, r.body, status, text)
	}
}

// wantRefusal reads the end of a request that was not served, and checks its protocol status.
func (w *webServer) wantRefusal(t testing.TB, id uint16, protocolStatus byte) {
	t.Helper()
	if r, err := w.response(id); err != nil || r.ended != protocolStatus {
		t.Errorf("request %d: protocol status %d, %v; want %d", id, r.ended, err, protocolStatus)
	}
}

// wantClosed checks that the connection is closed without another byte.
func (w *webServer) wantClosed(t testing.TB) {
	t.Helper()
	if kind, id, content, err := w.receive(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection is open: record of type %d, id %d: %q, %v", kind, id, content, err)
	}
}

// ask sends one request on a connection of its own, as nginx does.
func ask(t testing.TB, address string, variables map[string]string, body string) response {
	t.Helper()
	w := connect(t, address)
	defer w.Close()
	w.send(t, requestRecords(1, 0, variables, body))
	r, err := w.response(1)
	if err != nil {
		t.Fatal(err)
	}
	w.wantClosed(t)
	return r
}

func wantAnswer(t testing.TB, r response, status int, body string) {
	t.Helper()
	if r.status != status || r.body != body {
		t.Errorf("HTTP %d %s, want HTTP %d %s", r.status, r.body, status, body)
	}
}

// wantPublished publishes an event by URL.
func wantPublished(t testing.TB, address, id string) {
	t.Helper()
	wantAnswer(t, ask(t, address, get("publish="+id), ""), http.StatusOK, "true")
}
