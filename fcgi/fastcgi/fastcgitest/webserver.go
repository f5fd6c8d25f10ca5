package fastcgitest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
)

// WebServer is a web server's end of a connection.
type WebServer struct {
	io.ReadWriteCloser
	in *bufio.Reader
}

// NewWebServer returns a web server that uses the connection.
func NewWebServer(conn io.ReadWriteCloser) *WebServer { return &WebServer{conn, bufio.NewReader(conn)} }

// Send sends records.
func (w *WebServer) Send(t testing.TB, records ...[]byte) {
	t.Helper()
	if _, err := w.Write(bytes.Join(records, nil)); err != nil {
		t.Fatal(err)
	}
}

// Receive returns the next record. At the end of the connection it returns io.EOF, and within a record
// io.ErrUnexpectedEOF.
func (w *WebServer) Receive() (kind byte, id uint16, content []byte, err error) {
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

// WantRecord receives a record, and compares it.
func (w *WebServer) WantRecord(t testing.TB, kind byte, id uint16, content []byte) {
	t.Helper()
	gotKind, gotID, got, err := w.Receive()
	if err != nil || gotKind != kind || gotID != id || !bytes.Equal(got, content) {
		t.Fatalf("record of type %d, id %d: %q, %v; want type %d, id %d: %q",
			gotKind, gotID, got, err, kind, id, content)
	}
}

// WantValues receives the answer to [GetValues].
func (w *WebServer) WantValues(t testing.TB) {
	t.Helper()
	w.WantRecord(t, 10, 0, Pair("FCGI_MPXS_CONNS", "0"))
}

// Response is how a request ended.
type Response struct {
	Ended  byte // FCGI_REQUEST_COMPLETE: 0, FCGI_CANT_MPX_CONN: 1, FCGI_UNKNOWN_ROLE: 3
	Status int
	Header http.Header
	Body   string
}

// Response receives the response to a request up to its end. With an error, Body is the output until then.
func (w *WebServer) Response(id uint16) (Response, error) {
	var out []byte
	for {
		kind, of, content, err := w.Receive()
		switch {
		case err != nil:
			return Response{Body: string(out)}, fmt.Errorf("after %d bytes, %.100q: %w", len(out), out, err)
		case of != id:
			return Response{}, fmt.Errorf("a record of type %d with id %d instead of %d", kind, of, id)
		case kind == 3 && len(content) == 8:
			return ParseResponse(content[4], out)
		case kind == 6:
			out = append(out, content...)
		default:
			return Response{}, fmt.Errorf("a record of type %d: %q", kind, content)
		}
	}
}

// ParseResponse returns the response that was received: the protocol status at its end, and all output.
func ParseResponse(ended byte, out []byte) (Response, error) {
	r := Response{Ended: ended}
	if ended != 0 || len(out) == 0 { // refused or aborted
		return r, nil
	}
	in := bufio.NewReader(bytes.NewReader(out))
	header, err := textproto.NewReader(in).ReadMIMEHeader()
	if err != nil {
		return r, fmt.Errorf("the header of %q: %w", out, err)
	}
	r.Header, r.Status = http.Header(header), http.StatusOK
	if status, _, _ := strings.Cut(header.Get("Status"), " "); status != "" {
		if r.Status, err = strconv.Atoi(status); err != nil {
			return r, fmt.Errorf("the status of %q: %w", out, err)
		}
	}
	body, err := io.ReadAll(in)
	r.Body = string(body)
	return r, err
}

// WantResponse receives the response to a request. Its body must contain the text.
func (w *WebServer) WantResponse(t testing.TB, id uint16, status int, text string) {
	t.Helper()
	r, err := w.Response(id)
	if err != nil {
		t.Fatal(err)
	}
	if r.Ended != 0 || r.Status != status || !strings.Contains(r.Body, text) {
		t.Errorf("request %d: ended %d, HTTP %d %.1000s, want HTTP %d %s", id, r.Ended, r.Status, r.Body, status, text)
	}
}

// WantRefusal receives the end of a request that was not served, and checks its protocol status.
func (w *WebServer) WantRefusal(t testing.TB, id uint16, protocolStatus byte) {
	t.Helper()
	r, err := w.Response(id)
	if err != nil || r.Ended != protocolStatus || r.Header != nil {
		t.Errorf("request %d: %+v, %v; want protocol status %d", id, r, err, protocolStatus)
	}
}

// WantClosed checks that the connection is closed without another byte.
func (w *WebServer) WantClosed(t testing.TB) {
	t.Helper()
	if kind, id, content, err := w.Receive(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection is open: record of type %d, id %d: %.1000q, %v", kind, id, content, err)
	}
}

// ReceivePart returns the content of the next record of a stream.
func (w *WebServer) ReceivePart(t testing.TB, id uint16) string {
	t.Helper()
	kind, of, content, err := w.Receive()
	if err != nil || kind != 6 || of != id || len(content) == 0 {
		t.Fatalf("record of type %d, id %d: %q, %v; want output", kind, of, content, err)
	}
	return string(content)
}

// WantStream receives the beginning of a stream up to its first cursors.
func (w *WebServer) WantStream(t testing.TB, id uint16) {
	t.Helper()
	var all string
	for !strings.Contains(all, "\nid: ") {
		all += w.ReceivePart(t, id)
	}
	header, first, _ := strings.Cut(all, "\r\n\r\n")
	for _, line := range []string{"Status: 200", "Content-Type: text/event-stream\r\n", "X-Accel-Buffering: no\r\n"} {
		if !strings.Contains(header+"\r\n", line) {
			t.Errorf("the header %q has no %q", header, line)
		}
	}
	if !strings.HasPrefix(first, "retry: ") {
		t.Errorf("the stream begins with %q", first)
	}
}
