//go:build linux

package servertest

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Proxy stands between clients and a server. A test can cut their connections, also in the middle of an
// answer, and see the first megabyte that clients send.
type Proxy struct {
	// Address is the proxy's host:port.
	Address string

	mu       sync.Mutex // protects the fields below
	open     map[*proxied]bool
	accepted int
	sent     strings.Builder
	closed   bool
}

// proxied is a connection of the proxy, to a client or to the server.
type proxied struct {
	net.Conn
	proxy    *Proxy
	toClient bool
	stalled  bool // protected by the proxy's mu, as is left
	left     int  // how many bytes are still sent before the connection is reset; negative: no limit
}

// StartProxy starts a proxy for a server's host:port. It ends with the test.
func StartProxy(t testing.TB, server string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Address: listener.Addr().String(), open: map[*proxied]bool{}}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.accepted++
			p.mu.Unlock()
			running.Go(func() { p.serve(client, server) })
		}
	})
	t.Cleanup(func() {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		listener.Close()
		p.Cut()
		running.Wait()
	})
	return p
}

// Cut closes all connections. New ones are accepted.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for connection := range p.open {
		connection.Close()
	}
}

// Tear resets each open connection of a client after this number of further bytes. A negative number takes
// that back.
func (p *Proxy) Tear(bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for connection := range p.open {
		if connection.toClient {
			connection.left = bytes
		}
	}
}

// Stall drops from now on all bytes on the connections that are open. It does not close them.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for connection := range p.open {
		connection.stalled = true
	}
}

// Accepted returns how many connections were accepted.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Sent returns what clients have sent.
func (p *Proxy) Sent() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent.String()
}

// serve copies in both directions until one side ends.
func (p *Proxy) serve(client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	toClient := &proxied{Conn: client, proxy: p, toClient: true, left: -1}
	toServer := &proxied{Conn: server, proxy: p, left: -1}
	if !p.add(toClient, toServer) {
		return
	}
	defer p.remove(toClient, toServer)
	var both sync.WaitGroup
	pipe := func(to, from *proxied) {
		_, _ = io.Copy(to, from) // Any error ends both directions.
		from.Close()
		to.Close()
	}
	both.Go(func() { pipe(toServer, toClient) })
	both.Go(func() { pipe(toClient, toServer) })
	both.Wait()
}

func (p *Proxy) add(connections ...*proxied) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, connection := range connections {
		p.open[connection] = true
	}
	return !p.closed
}

func (p *Proxy) remove(connections ...*proxied) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, connection := range connections {
		delete(p.open, connection)
	}
}

// Write drops the bytes if the connection is stalled, and resets it after the last byte that may be sent.
func (c *proxied) Write(b []byte) (int, error) {
	const recorded = 1 << 20
	p := c.proxy
	p.mu.Lock()
	if !c.toClient && p.sent.Len() < recorded {
		p.sent.Write(b)
	}
	stalled, left := c.stalled, c.left
	if left >= 0 {
		c.left = max(left-len(b), 0)
	}
	p.mu.Unlock()
	switch {
	case stalled:
		return len(b), nil
	case left >= 0 && len(b) > left:
		n, _ := c.Conn.Write(b[:left])
		_ = c.Conn.(*net.TCPConn).SetLinger(0) // Closing it then resets it.
		return n, net.ErrClosed
	}
	return c.Conn.Write(b)
}
