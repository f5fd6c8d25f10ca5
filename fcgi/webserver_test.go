package main

import (
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"novcomet/core/servertest"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// This file connects to comet-fcgi as a web server does.

// connect connects to the path of a socket, or to a host:port.
func connect(t testing.TB, address string) *WebServer {
	t.Helper()
	w, err := tryConnect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func tryConnect(address string) (*WebServer, error) {
	conn, err := dial(address)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(2 * servertest.Patience))
	return NewWebServer(conn), nil
}

func dial(address string) (net.Conn, error) {
	if filepath.IsAbs(address) {
		return net.Dial("unix", address)
	}
	return net.Dial("tcp", address)
}

// webServers are many connections.
type webServers struct{ all []*WebServer }

// connectMany opens n connections. Each sends one of the requests at once, in turn, or nothing if there are
// none.
func connectMany(t testing.TB, address string, n int, requests ...[]byte) *webServers {
	t.Helper()
	many := &webServers{}
	t.Cleanup(many.close)
	for i := range n {
		w, err := tryConnect(address)
		if err != nil {
			t.Fatal(err)
		}
		many.all = append(many.all, w)
		if len(requests) > 0 {
			w.Send(t, requests[i%len(requests)])
		}
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

// ask sends one request on a connection of its own, as nginx does.
func ask(t testing.TB, address string, variables map[string]string, body string) Response {
	t.Helper()
	w := connect(t, address)
	defer w.Close()
	w.Send(t, Request(1, 0, variables, body))
	r, err := w.Response(1)
	if err != nil {
		t.Fatal(err)
	}
	w.WantClosed(t)
	return r
}

func wantAnswer(t testing.TB, r Response, status int, body string) {
	t.Helper()
	if r.Status != status || r.Body != body {
		t.Errorf("HTTP %d %s, want HTTP %d %s", r.Status, r.Body, status, body)
	}
}

// wantPublished publishes an event by URL.
func wantPublished(t testing.TB, address, id string) {
	t.Helper()
	wantAnswer(t, ask(t, address, Get("publish="+id), ""), http.StatusOK, "true")
}
