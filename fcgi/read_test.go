package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"testing"
	"time"
)

// wire is a connection on which everything has come in already.
type wire struct {
	net.Conn // nil: only what follows is used
	in       *bytes.Reader
	out      int // bytes
}

func (w *wire) Read(b []byte) (int, error)       { return w.in.Read(b) }
func (w *wire) Write(b []byte) (int, error)      { w.out += len(b); return len(b), nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }
func (w *wire) Close() error                     { return nil }

func TestReadKeepsWhatTheLimitsAllowAndRefusesMore(t *testing.T) {
	const limit = 300
	for _, length := range []int{0, 1, limit - 1, limit, limit + 1, 200_000} {
		sent := sentRequest(7, keep, map[string]string{"A": "b"}, string(bytes.Repeat([]byte("x"), length)))
		r, err := newConnection(&wire{in: bytes.NewReader(sent)}, time.Second).read(limits{bytes: limit, body: limit})
		if err != nil {
			t.Fatal(err)
		}
		fits, kept := length <= limit, length
		if !fits {
			kept = 0
		}
		if r.id != 7 || !r.keep || (r.refused == nil) != fits || !maps.Equal(r.variables, map[string]string{"A": "b"}) || len(r.body) != kept {
			t.Errorf("of a body of %d bytes: %d bytes, refused: %v, variables %q", length, len(r.body), r.refused, r.variables)
		}

		// With its lengths, A takes 3 or 6 bytes more.
		sent = sentRequest(7, 0, map[string]string{"A": string(bytes.Repeat([]byte("x"), length))}, "")
		r, err = newConnection(&wire{in: bytes.NewReader(sent)}, time.Second).read(limits{bytes: limit, body: limit})
		if err != nil {
			t.Fatal(err)
		}
		if fits := length+6 <= limit; r.keep || (r.refused == nil) != fits || (len(r.variables) == 1) != fits {
			t.Errorf("of a variable of %d bytes: refused: %v, %d variables", length, r.refused, len(r.variables))
		}
	}
}

func TestReadTellsTheEndBetweenTwoRequestsFromOneWithin(t *testing.T) {
	sent := sentRequest(1, keep, asked("publish=a"), "form")
	for length := range len(sent) {
		c := newConnection(&wire{in: bytes.NewReader(sent[:length])}, time.Second)
		r, err := c.read(limits{bytes: 4096, body: 4096})
		if r != nil || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("of %d bytes: %v, %v", length, r, err)
		}
	}
}

// Whatever comes in: reading it ends without a panic, keeps no more than the limits, writes no more than it was asked, and
// what was understood is understood again when a web server sends just that.
func FuzzRead(f *testing.F) {
	whole := sentRequest(1, keep, asked("publish=a"), "form")
	for _, seed := range [][]byte{
		nil,
		whole,
		whole[:len(whole)-3],
		append(whole[:len(whole):len(whole)], whole...),
		sentRecord(9, 0, sentPair("FCGI_MPXS_CONNS", ""), 5),
		sentRecord(77, 0, nil, 0),
		append(sentBegin(1, 2, 0), sentBegin(2, 1, 0)...),
		append(sentBegin(1, 1, 0), sentBegin(2, 1, 0)...),
		append(sentBegin(1, 1, 0), sentStream(4, 1, []byte{0xff, 0xff, 0xff, 0xff, 0x80, 0, 0}, 0)...),
		append(sentBegin(1, 1, 0), sentRecord(2, 1, nil, 0)...),
		[]byte("GET / HTTP/1.1\r\n\r\n"),
	} {
		f.Add(seed, uint16(64))
	}
	f.Fuzz(func(t *testing.T, sent []byte, most uint16) {
		limit := limits{bytes: int(most), body: int(most)}
		w := &wire{in: bytes.NewReader(sent)}
		c := newConnection(w, time.Second)
		for requests := 0; ; requests++ {
			r, err := c.read(limit)
			if (r == nil) == (err == nil) {
				t.Fatalf("both or neither of a request and an error: %v, %v", r, err)
			}
			if err != nil {
				break
			}
			if most := len(sent) / 16; requests > most { // begin, and the two ends
				t.Fatalf("more than %d requests in %d bytes", most, len(sent))
			}
			kept := 0
			for name, value := range r.variables {
				kept += len(name) + len(value)
			}
			if kept > limit.bytes || len(r.body) > limit.bytes+1 {
				t.Fatalf("of at most %d bytes it keeps %d of variables and %d of a body", limit.bytes, kept, len(r.body))
			}
			if r.refused == nil && len(sentPairs(r.variables)) <= limit.bytes {
				wantUnderstoodAgain(t, r, limit)
			}
		}
		if most := 4*len(sent) + 64; w.out > most {
			t.Fatalf("it wrote %d bytes about %d", w.out, len(sent))
		}
	})
}

func wantUnderstoodAgain(t *testing.T, r *request, limit limits) {
	t.Helper()
	var flags byte
	if r.keep {
		flags = keep
	}
	sent := sentRequest(r.id, flags, r.variables, string(r.body))
	again, err := newConnection(&wire{in: bytes.NewReader(sent)}, time.Second).read(limit)
	if err != nil || fmt.Sprint(again) != fmt.Sprint(r) {
		t.Fatalf("%v, %v; want %v", again, err, r)
	}
}
