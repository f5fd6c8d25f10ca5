package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
)

// A web server's side of FastCGI, written down from the specification alone: numbers instead of the program's constants, so
// that a mistake there can't hide here.

// sentRecord is a record as it goes over the wire.
func sentRecord(kind byte, id uint16, content []byte, padding int) []byte {
	b := []byte{1, kind, byte(id >> 8), byte(id), byte(len(content) >> 8), byte(len(content)), byte(padding), 0}
	return append(append(b, content...), make([]byte, padding)...)
}

func sentBegin(id uint16, role, flags byte) []byte {
	return sentRecord(1, id, []byte{0, role, flags, 0, 0, 0, 0, 0}, 0)
}

func sentPair(name, value string) (b []byte) {
	for _, s := range []string{name, value} {
		if len(s) < 128 {
			b = append(b, byte(len(s)))
		} else {
			b = binary.BigEndian.AppendUint32(b, uint32(len(s))|0x80000000)
		}
	}
	return append(append(b, name...), value...)
}

func sentPairs(variables map[string]string) (b []byte) {
	for name, value := range variables {
		b = append(b, sentPair(name, value)...)
	}
	return b
}

// sentStream is content in as many records as it takes, and the empty one that ends it.
func sentStream(kind byte, id uint16, content []byte, padding int) (b []byte) {
	const most = 32 << 10 // nginx sends 32 KiB a record
	for len(content) > 0 {
		n := min(len(content), most)
		b = append(b, sentRecord(kind, id, content[:n], padding)...)
		content = content[n:]
	}
	return append(b, sentRecord(kind, id, nil, padding)...)
}

const keep = 1 // the flag FCGI_KEEP_CONN

func sentRequest(id uint16, flags byte, variables map[string]string, body string) []byte {
	b := sentBegin(id, 1, flags)
	b = append(b, sentStream(4, id, sentPairs(variables), 0)...)
	return append(b, sentStream(5, id, []byte(body), 0)...)
}

// asked are the variables of GET /comet.php?query, as nginx sends them: with those that are empty.
func asked(query string) map[string]string {
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

// posted are the variables of a form with that many bytes.
func posted(length int) map[string]string {
	variables := asked("")
	variables["REQUEST_METHOD"] = "POST"
	variables["CONTENT_TYPE"] = "application/x-www-form-urlencoded"
	variables["CONTENT_LENGTH"] = strconv.Itoa(length)
	return variables
}

// webServer is one connection to comet-fcgi.
type webServer struct {
	net.Conn
	in *bufio.Reader
}

func connect(t testing.TB, address string) *webServer {
	t.Helper()
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	return answering(conn)
}

func answering(conn net.Conn) *webServer { return &webServer{conn, bufio.NewReader(conn)} }

func (w *webServer) send(t testing.TB, records ...[]byte) {
	t.Helper()
	if _, err := w.Write(bytes.Join(records, nil)); err != nil {
		t.Fatal(err)
	}
}

// receive returns the next record.
func (w *webServer) receive() (kind byte, id uint16, content []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(w.in, head[:]); err != nil {
		return 0, 0, nil, err
	}
	if head[0] != 1 {
		return 0, 0, nil, errors.Errorf("a record of version %d", head[0])
	}
	content = make([]byte, int(binary.BigEndian.Uint16(head[4:]))+int(head[6]))
	_, err = io.ReadFull(w.in, content)
	return head[1], binary.BigEndian.Uint16(head[2:]), content[:len(content)-int(head[6])], err
}

// response is how a request ended.
type response struct {
	ended  byte // FCGI_REQUEST_COMPLETE: 0, FCGI_CANT_MPX_CONN: 1, FCGI_UNKNOWN_ROLE: 3
	status int
	header http.Header
	body   string
}

// response reads the answer to the request id, up to its end.
func (w *webServer) response(id uint16) (response, error) {
	var out []byte
	for {
		kind, of, content, err := w.receive()
		switch {
		case err != nil:
			return response{}, errors.WithMessagef(err, "after %q", out)
		case of != id:
			return response{}, errors.Errorf("a record of type %d about request %d instead of %d", kind, of, id)
		case kind == 3 && len(content) == 8:
			return parseResponse(content[4], out)
		case kind == 6:
			out = append(out, content...)
		default:
			return response{}, errors.Errorf("a record of type %d: %q", kind, content)
		}
	}
}

func parseResponse(ended byte, out []byte) (response, error) {
	r := response{ended: ended}
	if ended != 0 || len(out) == 0 { // refused, or aborted
		return r, nil
	}
	in := bufio.NewReader(bytes.NewReader(out))
	header, err := textproto.NewReader(in).ReadMIMEHeader()
	if err != nil {
		return r, errors.Wrapf(err, "the header of %q", out)
	}
	r.header, r.status = http.Header(header), http.StatusOK
	if status, _, _ := strings.Cut(header.Get("Status"), " "); status != "" {
		if r.status, err = strconv.Atoi(status); err != nil {
			return r, errors.Wrapf(err, "the status of %q", out)
		}
	}
	body, err := io.ReadAll(in)
	r.body = string(body)
	return r, err
}

func (w *webServer) wantResponse(t testing.TB, id uint16, status int, body string) {
	t.Helper()
	r, err := w.response(id)
	if err != nil {
		t.Fatal(err)
	}
	if r.ended != 0 || r.status != status || !strings.Contains(r.body, body) {
		t.Errorf("request %d: ended %d, HTTP %d %s, want HTTP %d %s", id, r.ended, r.status, r.body, status, body)
	}
}

// wantEnd wants the connection to be closed, without another byte.
func (w *webServer) wantEnd(t testing.TB) {
	t.Helper()
	if kind, id, content, err := w.receive(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection goes on: record of type %d about %d, %q, %v", kind, id, content, err)
	}
}

// ask sends one request on a connection of its own, as nginx does.
func ask(t testing.TB, address string, variables map[string]string, body string) response {
	t.Helper()
	w := connect(t, address)
	defer w.Close()
	w.send(t, sentRequest(1, 0, variables, body))
	r, err := w.response(1)
	if err != nil {
		t.Fatal(err)
	}
	w.wantEnd(t)
	return r
}

func wantAnswer(t testing.TB, r response, status int, body string) {
	t.Helper()
	if r.status != status || r.body != body {
		t.Errorf("HTTP %d %s, want HTTP %d %s", r.status, r.body, status, body)
	}
}
