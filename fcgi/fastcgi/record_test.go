package fastcgi

import (
	"bytes"
	"testing"
)

func TestParseHeader_ReadsWhatAppendRecordWrites(t *testing.T) {
	b := AppendRecord([]byte("before"), Stdout, 0x0102, []byte("content"))
	if want := "before\x01\x06\x01\x02\x00\x07\x00\x00content"; string(b) != want {
		t.Errorf("%q, want %q", b, want)
	}
	if got, ok := ParseHeader(b[len("before"):]); !ok || got != (Header{Stdout, 0x0102, 7, 0}) {
		t.Errorf("%+v, %v", got, ok)
	}
	padded := []byte{1, 4, 255, 254, 255, 255, 3, 9}
	if got, ok := ParseHeader(padded); !ok || got != (Header{Params, 0xfffe, MaxContent, 3}) {
		t.Errorf("%+v, %v", got, ok)
	}
	for _, version := range []byte{0, 2, 'G'} {
		padded[0] = version
		if _, ok := ParseHeader(padded); ok {
			t.Errorf("version %d is accepted", version)
		}
	}
}

func TestIsHTTP(t *testing.T) {
	for first, want := range map[string]bool{
		"GET / HT": true, "OPTIONS ": true, "PRI * HT": true, "POST /co": true,
		"GO / HTT": false, "get / HT": false,
		"\x01\x01\x00\x01\x00\x08\x00\x00": false, // FastCGI
		"\x16\x03\x01\x02\x00\x01\x00\x01": false, // TLS
	} {
		if got := IsHTTP([]byte(first)); got != want {
			t.Errorf("%q: %v, want %v", first, got, want)
		}
	}
}

func TestAppendStdout_UsesAsManyRecordsAsTheContentNeeds(t *testing.T) {
	for length, records := range map[int]int{0: 0, 1: 1, MaxContent: 1, MaxContent + 1: 2, 200_000: 4} {
		content := bytes.Repeat([]byte("x"), length)
		sent := AppendStdout(nil, 5, content)
		var got []byte
		for rest, n := sent, 1; len(rest) > 0; n++ {
			h, ok := ParseHeader(rest)
			if !ok || h.Type != Stdout || h.ID != 5 || h.Content == 0 || n > records { // Content 0 is the end.
				t.Fatalf("%d bytes: record %d of %d is %+v", length, n, records, h)
			}
			got = append(got, rest[HeaderLength:HeaderLength+h.Content]...)
			rest = rest[HeaderLength+h.Content+h.Padding:]
		}
		if !bytes.Equal(got, content) {
			t.Errorf("%d of %d bytes are in the records", len(got), length)
		}
	}
}
