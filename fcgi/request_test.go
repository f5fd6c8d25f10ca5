package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestRequest_IsReadHoweverItsBytesArrive(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	_, path := startServer(t, directory, "COMET_MAX_REQUEST=2097152")
	whole := requestRecords(1, 0, get("publish=split"), "")
	variables := get("publish=first")
	variables["HTTP_COOKIE"] = strings.Repeat("c", 5000)
	variables["HTTP_"+strings.Repeat("X", 200)] = "1"
	twice := append(pairs(variables), pair("QUERY_STRING", "publish=last")...)
	form := strings.Repeat("padding=1&", 1<<20/10) + "publish=at-the-end"
	singleBytes := func(b []byte) (all [][]byte) {
		for i := range b {
			all = append(all, b[i:i+1])
		}
		return all
	}
	var singleParams [][]byte
	for _, b := range singleBytes(pairs(get("publish=torn"))) {
		singleParams = append(singleParams, record(4, 1, b, 0))
	}
	for name, writes := range map[string][][]byte{
		"byte by byte": singleBytes(whole),
		"with padding": {record(1, 1, []byte{0, 1, 0, 0, 0, 0, 0, 0}, 255),
			streamRecords(4, 1, pairs(get("publish=padded")), 3), streamRecords(5, 1, nil, 8)},
		"a variable in several records": slices.Concat([][]byte{beginRecord(1, 1, 0)}, singleParams,
			[][]byte{record(4, 1, nil, 0), record(5, 1, nil, 0)}),
		"long names and values, and one name twice": {beginRecord(1, 1, 0), streamRecords(4, 1, twice, 0),
			streamRecords(5, 1, nil, 0)},
		"a form of a megabyte": {requestRecords(1, 0, post(len(form)), form)},
	} {
		t.Run(name, func(t *testing.T) {
			w := connect(t, path)
			for _, b := range writes {
				w.send(t, b)
			}
			w.wantResponse(t, 1, http.StatusOK, "true")
			w.wantClosed(t)
		})
	}
	t.Run("in two parts", func(t *testing.T) {
		for at := 1; at < len(whole); at += 17 {
			w := connect(t, path)
			w.send(t, whole[:at])
			w.send(t, whole[at:])
			w.wantResponse(t, 1, http.StatusOK, "true")
			w.wantClosed(t)
		}
	})
	for id, want := range map[string]bool{
		"split": true, "padded": true, "torn": true, "first": false, "last": true, "at-the-end": true,
	} {
		if got := exists(filepath.Join(directory, id+".comet")); got != want {
			t.Errorf("%s is published: %v, want %v", id, got, want)
		}
	}
}

func TestRequest_WithInvalidVariablesIsABadRequest(t *testing.T) {
	t.Parallel()
	_, path := startServer(t, t.TempDir())
	whole := pairs(get("publish=truncated"))
	for name, variables := range map[string][]byte{
		"none":                      nil,
		"truncated":                 whole[:len(whole)-1],
		"an invalid CONTENT_LENGTH": pairs(with(post(0), "CONTENT_LENGTH", "1e9")),
	} {
		t.Run(name, func(t *testing.T) {
			w := connect(t, path)
			w.send(t, beginRecord(1, 1, 0), streamRecords(4, 1, variables, 0), streamRecords(5, 1, nil, 0))
			w.wantResponse(t, 1, http.StatusBadRequest, `{"error":"`)
		})
	}
}

// A web server that is still sending does not read an answer.
func TestRequest_ThatIsTooLargeIsReadToItsEndAndRefused(t *testing.T) {
	t.Parallel()
	const limit, tooMuch = 4096, 5 << 20
	directory := t.TempDir()
	_, path := startServer(t, directory, "COMET_MAX_REQUEST="+strconv.Itoa(limit))
	exact := get("publish=exact")
	exact["HTTP_COOKIE"] = strings.Repeat("c", limit-len(pairs(exact))-len("HTTP_COOKIE")-5)
	form := func(length int) string { return "publish=body&" + strings.Repeat("x", length-len("publish=body&")) }
	for _, test := range []struct {
		name      string
		variables map[string]string
		body      string
		status    int
		want      string
	}{
		{"variables", with(get("publish=variables"), "HTTP_COOKIE", strings.Repeat("c", tooMuch)), "",
			http.StatusRequestEntityTooLarge, `{"error":"`},
		{"variables of the largest size", exact, "", http.StatusOK, "true"},
		{"variables one byte too long", with(maps.Clone(exact), "HTTP_COOKIE", exact["HTTP_COOKIE"]+"c"), "",
			http.StatusRequestEntityTooLarge, `{"error":"`},
		{"a body", post(tooMuch), form(tooMuch), http.StatusRequestEntityTooLarge, `{"error":"`},
		{"a body one byte too long", post(limit + 1), form(limit + 1), http.StatusRequestEntityTooLarge, `{"error":"`},
		{"a body of the largest size", post(limit), form(limit), http.StatusOK, "true"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := connect(t, path)
			w.send(t, requestRecords(1, keepConn, test.variables, test.body))
			w.wantResponse(t, 1, test.status, test.want)
			w.send(t, requestRecords(1, keepConn, get("publish=next"), ""))
			w.wantResponse(t, 1, http.StatusOK, "true")
		})
	}
	for id, want := range map[string]bool{"variables": false, "exact": true, "next": true} {
		if got := exists(filepath.Join(directory, id+".comet")); got != want {
			t.Errorf("%s is published: %v, want %v", id, got, want)
		}
	}
}

// A web server that does not buffer bodies has only a part of one if the client resets its connection.
func TestRequest_WithAPartOfItsBodyPublishesNothing(t *testing.T) {
	t.Parallel()
	_, path := startServer(t, t.TempDir())
	for _, test := range []struct {
		name      string
		variables map[string]string
		body      string
	}{
		{"POST", with(get("publish=a"), "REQUEST_METHOD", "POST", "CONTENT_LENGTH", "10"), "a part"},
		{"PUT without a byte", with(get("publish=a"), "REQUEST_METHOD", "PUT", "CONTENT_LENGTH", "10"), ""},
		{"a form that publishes", post(20), "publish=a"},
		{"a form that polls", post(40), "subscribed[a]=now&wait=0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := connect(t, path)
			w.send(t, requestRecords(1, keepConn, test.variables, test.body))
			w.wantResponse(t, 1, http.StatusBadRequest, "Content-Length")
			w.send(t, requestRecords(1, keepConn, get("subscribed[a]=now&wait=0"), ""))
			w.wantResponse(t, 1, http.StatusOK, `{"s":0,"at":{"a":"0.000000"}}`)
		})
	}
}

// memoryConn is a connection that has received everything already.
type memoryConn struct {
	net.Conn // nil: no other method is called
	in       *bytes.Reader
	out      int // bytes
}

func (c *memoryConn) Read(b []byte) (int, error)       { return c.in.Read(b) }
func (c *memoryConn) Write(b []byte) (int, error)      { c.out += len(b); return len(b), nil }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }
func (c *memoryConn) Close() error                     { return nil }

// readRequest reads a request from the bytes, with this limit of its variables and its body.
func readRequest(sent []byte, limit int) (*request, error) {
	c := newConnection(&memoryConn{in: bytes.NewReader(sent)}, time.Second)
	return c.read(limits{bytes: limit, body: limit})
}

func TestRead_KeepsNoBodyAboveTheLimit(t *testing.T) {
	const limit = 300
	for length, kept := range map[int]int{0: 0, limit: limit, limit + 1: 0, 200_000: 0} {
		r, err := readRequest(requestRecords(7, keepConn, nil, strings.Repeat("x", length)), limit)
		if err != nil || r.id != 7 || !r.keep || len(r.body) != kept || (r.refused == nil) != (length <= limit) {
			t.Errorf("body of %d bytes: %+v, %v", length, r, err)
		}
	}
}

func TestRead_FailsAtTheEndOfAConnection(t *testing.T) {
	sent := requestRecords(1, keepConn, get("publish=a"), "form")
	for length := range len(sent) {
		r, err := readRequest(sent[:length], 4096)
		if r != nil || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%d bytes: %v, %v", length, r, err)
		}
	}
}

// FuzzRead reads any bytes: there is no panic, no more is kept than the limits allow, not much more is
// written than was read, and each request that was read is read again when a web server sends it.
func FuzzRead(f *testing.F) {
	whole := requestRecords(1, keepConn, get("publish=a"), "form")
	for _, seed := range [][]byte{
		nil,
		whole,
		whole[:len(whole)-3],
		slices.Concat(whole, whole),
		record(9, 0, pair("FCGI_MPXS_CONNS", ""), 5),
		record(77, 0, nil, 0),
		append(beginRecord(1, 2, 0), beginRecord(2, 1, 0)...),
		append(beginRecord(1, 1, 0), beginRecord(2, 1, 0)...),
		append(beginRecord(1, 1, 0), streamRecords(4, 1, []byte{0xff, 0xff, 0xff, 0xff, 0x80, 0, 0}, 0)...),
		append(beginRecord(1, 1, 0), record(2, 1, nil, 0)...),
		[]byte("GET / HTTP/1.1\r\n\r\n"),
	} {
		f.Add(seed, uint16(64))
	}
	f.Fuzz(func(t *testing.T, sent []byte, limit uint16) {
		conn := &memoryConn{in: bytes.NewReader(sent)}
		c := newConnection(conn, time.Second)
		for requests := 0; ; requests++ {
			r, err := c.read(limits{bytes: int(limit), body: int(limit)})
			if (r == nil) == (err == nil) {
				t.Fatalf("both or neither of a request and an error: %v, %v", r, err)
			}
			if err != nil {
				break
			}
			if most := len(sent) / 16; requests > most { // A request has at least two headers.
				t.Fatalf("more than %d requests in %d bytes", most, len(sent))
			}
			kept := 0
			for name, value := range r.variables {
				kept += len(name) + len(value)
			}
			if kept > int(limit) || len(r.body) > int(limit)+1 {
				t.Fatalf("%d bytes of variables and %d of the body are kept, want at most %d", kept, len(r.body), limit)
			}
			if r.refused == nil && len(pairs(r.variables)) <= int(limit) {
				wantReadAgain(t, r, int(limit))
			}
		}
		if most := 4*len(sent) + 64; conn.out > most {
			t.Fatalf("%d bytes were written about %d", conn.out, len(sent))
		}
	})
}

func wantReadAgain(t *testing.T, r *request, limit int) {
	t.Helper()
	var flags byte
	if r.keep {
		flags = keepConn
	}
	again, err := readRequest(requestRecords(r.id, flags, r.variables, string(r.body)), limit)
	if err != nil || fmt.Sprint(again) != fmt.Sprint(r) {
		t.Fatalf("%v, %v; want %v", again, err, r)
	}
}
