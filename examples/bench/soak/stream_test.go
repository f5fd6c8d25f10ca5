package soak

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// readStream reads a stream of the events a and b that is cut off after this text. It returns what the page
// has recorded.
func readStream(t *testing.T, text string) ([]*pollRecord, error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, text)
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	known := map[string]string{"a": "1000.000001", "b": "1000.000001"}
	p := &page{pageRecord: pageRecord{Kind: stream, IDs: []string{"a", "b"}}, soak: &soak{}, browser: newBrowser(),
		cursors: known}
	defer p.browser.CloseIdleConnections()
	last := ""
	err := p.readStream(context.WithoutCancel(t.Context()), server.URL, &last, known)
	return p.soak.history.Polls, err
}

const (
	preamble = "retry: 1000\n: NovComet\n\nid: 1000.000001,1000.000001\n\n"
	eventOfA = `data: {"s":1,"k":{"a":1000.000002},"at":{"a":"1000.000002"}}` + "\n"
	eventOfB = `data: {"s":1,"k":{"b":1000.000003},"at":{"b":"1000.000003"}}` + "\n"
)

func TestReadStream_RefusesAPartThatCannotBeResumed(t *testing.T) {
	for _, test := range []struct {
		name, text string
		invalid    bool
	}{
		{"a part", eventOfA + "id: 1000.000002,1000.000001\n\n:\n\n", false},
		{"a part with two events", eventOfA + "\n" + eventOfB + "id: 1000.000002,1000.000003\n\n:\n\n", false},
		{"a part that is cut off", eventOfA + "\n", false},
		{"no id", eventOfA + "\n:\n\n", true},
		{"too few cursors", eventOfA + "id: 1000.000002\n\n", true},
		{"too many cursors", eventOfA + "id: 1000.000002,1000.000001,1000.000001\n\n", true},
		{"another form of cursor", eventOfA + "id: 1000.000002,1000\n\n", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := readStream(t, preamble+test.text)
			if err == nil || errors.Is(err, errInvalid) != test.invalid {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestReadStream_FailsAfterItsLastEvent(t *testing.T) {
	polls, err := readStream(t, preamble+eventOfA+"id: 1000.000002,1000.000001\n\n")
	if err == nil || len(polls) != 2 {
		t.Fatalf("%v, %d records", err, len(polls))
	}
	if event, failure := polls[0], polls[1]; failure.Sent != event.At || !strings.Contains(failure.Error, "cut") {
		t.Errorf("it failed with %q, sent at %v; the last event came at %v", failure.Error, failure.Sent, event.At)
	}
}

// A reloaded Apache does not read a request that arrives on a kept connection, and closes the connection.
func TestReadStream_RecordsThatItsRequestWasSentAgain(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for range 2 {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			in := bufio.NewReader(c)
			if _, err := http.ReadRequest(in); err == nil {
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(preamble), preamble)
				_, _ = in.Peek(1) // the next request
			}
			c.Close()
		}
	}()
	known := map[string]string{"a": "1000.000001", "b": "1000.000001"}
	p := &page{pageRecord: pageRecord{Kind: stream, IDs: []string{"a", "b"}}, soak: &soak{}, browser: newBrowser(),
		cursors: known}
	defer p.browser.CloseIdleConnections()
	url, last := "http://"+listener.Addr().String(), ""
	for range 2 {
		if err := p.readStream(context.WithoutCancel(t.Context()), url, &last, known); err != nil {
			t.Fatal(err)
		}
	}
	first, second := p.soak.history.Polls[0], p.soak.history.Polls[1]
	if first.Resent != 0 || second.Resent == 0 {
		t.Errorf("sent again at %v and %v", first.Resent, second.Resent)
	}
}
