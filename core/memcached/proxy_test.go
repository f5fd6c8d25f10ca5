//go:build e2e

package memcached_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// proxy stands before a server and writes down how many keys each look asks for.
type proxy struct {
	address string

	mu    sync.Mutex
	looks []int
}

func startProxy(t testing.TB, server string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: listener.Addr().String()}
	var working sync.WaitGroup
	working.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			working.Go(func() { p.serve(client, server) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		working.Wait()
	})
	return p
}

func (p *proxy) serve(client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	go func() {
		defer client.Close()
		_, _ = io.Copy(client, server) // It ends with either connection.
	}()
	defer server.Close()
	lines := bufio.NewReader(client)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if keys, ok := strings.CutPrefix(line, "gets "); ok {
			p.mu.Lock()
			p.looks = append(p.looks, len(strings.Fields(keys)))
			p.mu.Unlock()
		}
		if _, err := io.WriteString(server, line); err != nil {
			return
		}
	}
}

// seen returns how many keys each look has asked for since seen was called last.
func (p *proxy) seen() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	looks := p.looks
	p.looks = nil
	return looks
}
