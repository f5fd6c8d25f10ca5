package fastcgi_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"novcomet/fcgi/fastcgi"
	"novcomet/fcgi/fastcgi/fastcgitest"
)

// read adds the records in sent to a request that the first one begins. It returns the request if it is
// complete, and the bytes after it.
func read(sent []byte, limits fastcgi.Limits) (r *fastcgi.Request, rest []byte, err error) {
	for len(sent) >= fastcgi.HeaderLength {
		h, ok := fastcgi.ParseHeader(sent)
		end := fastcgi.HeaderLength + h.Content
		if !ok || len(sent) < end+h.Padding {
			return nil, nil, nil
		}
		content := sent[fastcgi.HeaderLength:end]
		sent = sent[end+h.Padding:]
		if r == nil {
			if h.Type != fastcgi.BeginRequest {
				return nil, nil, nil
			}
			if r, ok, err = fastcgi.Begin(h.ID, content); !ok || err != nil {
				return nil, sent, err
			}
			continue
		}
		if complete, err := r.Add(h.Type, content, limits); complete || err != nil {
			return r, sent, err
		}
		if r.Size() > limits.Params+limits.Body {
			panic("more is kept than the limits allow")
		}
	}
	return nil, nil, nil
}

func same(a, b *fastcgi.Request) bool {
	return a.ID == b.ID && a.Keep == b.Keep && maps.Equal(a.Variables, b.Variables) && bytes.Equal(a.Body, b.Body)
}

func TestRequest_IsCompleteWithItsLastRecord(t *testing.T) {
	limits := fastcgi.Limits{Params: 4096, Body: 4096}
	variables := fastcgitest.Get("publish=a")
	sent := fastcgitest.Request(7, fastcgitest.Keep, variables, "form")
	want := &fastcgi.Request{ID: 7, Keep: true, Variables: variables, Body: []byte("form")}
	if r, rest, err := read(sent, limits); err != nil || r == nil || !same(r, want) || len(rest) > 0 {
		t.Errorf("%+v, %q, %v", r, rest, err)
	}
	for length := range len(sent) {
		if r, _, err := read(sent[:length], limits); r != nil || err != nil {
			t.Fatalf("%d of %d bytes: %+v, %v", length, len(sent), r, err)
		}
	}
}

// A web server that is still sending does not read an answer. So the request is read to its end.
func TestRequest_KeepsNothingAboveItsLimits(t *testing.T) {
	const limit = 300
	pair := len(fastcgitest.Pair("N", strings.Repeat("x", 200))) - 200
	for _, test := range []struct {
		name         string
		params, body int
		kept         bool
	}{
		{"nothing", 0, 0, true},
		{"variables of the largest size", limit, 0, true},
		{"variables one byte too long", limit + 1, 0, false},
		{"variables of many records", 200_000, 0, false},
		{"a body of the largest size", 0, limit, true},
		{"a body one byte too long", 0, limit + 1, false},
		{"a body of many records", 0, 200_000, false},
		{"variables that are too long, and a body", 200_000, limit, false},
	} {
		variables := map[string]string{}
		if test.params > 0 {
			variables["N"] = strings.Repeat("x", test.params-pair)
		}
		sent := fastcgitest.Request(7, 0, variables, strings.Repeat("x", test.body))
		r, _, err := read(sent, fastcgi.Limits{Params: limit, Body: limit})
		if err != nil || r == nil || r.ID != 7 {
			t.Fatalf("%s: %+v, %v", test.name, r, err)
		}
		kept := 0
		if test.kept {
			kept = test.params + test.body
		}
		if (r.Refused == nil) != test.kept || r.Size() != kept || len(r.Body) > kept {
			t.Errorf("%s: refused: %v, size %d, body of %d bytes", test.name, r.Refused, r.Size(), len(r.Body))
		}
	}
}

func TestRequest_KeepsNothingAfterItWasRefused(t *testing.T) {
	limits := fastcgi.Limits{Params: 300, Body: 300}
	for _, test := range []struct {
		name    string
		records []fastcgi.Type // The last one is added after the refusal.
	}{
		{"variables", []fastcgi.Type{fastcgi.Params, fastcgi.Params}},
		{"a body", []fastcgi.Type{fastcgi.Params, 0, fastcgi.Stdin, fastcgi.Stdin}},
	} {
		r, _, err := fastcgi.Begin(1, []byte{0, 1, 0, 0, 0, 0, 0, 0})
		if err != nil {
			t.Fatal(err)
		}
		refused := errors.New("no room")
		for i, kind := range test.records {
			content := fastcgitest.Pair("NAME", "value")
			if kind == 0 {
				kind, content = fastcgi.Params, nil
			}
			if i == len(test.records)-1 {
				if r.Size() == 0 {
					t.Fatalf("%s: nothing is kept before the refusal", test.name)
				}
				r.Refuse(refused)
			}
			if complete, err := r.Add(kind, content, limits); complete || err != nil {
				t.Fatalf("%s: %v, %v", test.name, complete, err)
			}
		}
		size := r.Size()
		r.Refuse(errors.New("another reason"))
		kept := 0
		if r.Variables != nil { // The answer depends on them.
			kept = len(fastcgitest.Pair("NAME", "value"))
		}
		if size != kept || len(r.Body) > 0 || !errors.Is(r.Refused, refused) {
			t.Errorf("%s: %d bytes are kept, refused: %v", test.name, size, r.Refused)
		}
	}
}

func TestRequest_RefusesRecordsOutOfOrder(t *testing.T) {
	begin, params := fastcgitest.Begin(1, 1, 0), fastcgitest.Stream(4, 1, nil, 0)
	for name, sent := range map[string][]byte{
		"a short begin":            fastcgitest.Record(1, 1, []byte{0, 1, 0}, 0),
		"a body before the params": slices.Concat(begin, fastcgitest.Record(5, 1, nil, 0)),
		"params after their end":   slices.Concat(begin, params, params),
	} {
		if _, _, err := read(sent, fastcgi.Limits{}); !errors.Is(err, fastcgi.ErrProtocol) {
			t.Errorf("%s: %v, want %v", name, err, fastcgi.ErrProtocol)
		}
	}
}

// FuzzRequest reads any bytes: there is no panic, no more is kept than the limits allow, and each request
// that was read is read again when a web server sends it.
func FuzzRequest(f *testing.F) {
	whole := fastcgitest.Request(1, fastcgitest.Keep, fastcgitest.Get("publish=a"), "form")
	begin := fastcgitest.Begin(1, 1, 0)
	for _, seed := range [][]byte{
		nil,
		whole,
		whole[:len(whole)-3],
		slices.Concat(whole, whole),
		slices.Concat(begin, begin),
		slices.Concat(begin, fastcgitest.Stream(4, 1, []byte{0xff, 0xff, 0xff, 0xff, 0x80, 0, 0}, 0)),
		slices.Concat(fastcgitest.Begin(1, 2, 0), whole),
		[]byte("GET / HTTP/1.1\r\n\r\n"),
	} {
		f.Add(seed, uint16(64))
		f.Add(seed, uint16(1024))
	}
	f.Fuzz(func(t *testing.T, sent []byte, limit uint16) {
		limits := fastcgi.Limits{Params: int(limit), Body: int(limit)}
		for len(sent) > 0 {
			r, rest, err := read(sent, limits)
			if err != nil || rest == nil {
				return
			}
			if len(rest) >= len(sent) {
				t.Fatal("nothing was read")
			}
			if sent = rest; r == nil {
				continue // another role
			}
			kept := 0
			for name, value := range r.Variables {
				kept += len(name) + len(value)
			}
			if kept > int(limit) || len(r.Body) > int(limit) {
				t.Fatalf("%d bytes of variables and %d of the body are kept, want at most %d", kept, len(r.Body), limit)
			}
			if r.Refused == nil && len(fastcgitest.Pairs(r.Variables)) <= int(limit) {
				wantReadAgain(t, r, limits)
			}
		}
	})
}

func wantReadAgain(t *testing.T, r *fastcgi.Request, limits fastcgi.Limits) {
	t.Helper()
	var flags byte
	if r.Keep {
		flags = fastcgitest.Keep
	}
	again, _, err := read(fastcgitest.Request(r.ID, flags, r.Variables, string(r.Body)), limits)
	if err != nil || again == nil || !same(again, r) {
		t.Fatalf("%+v, %v; want %+v", again, err, r)
	}
}
