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

	mu       sync.Mutex        // protects the fields below
	open     map[net.Conn]bool // true for the connection of a client
	stalled  map[net.Conn]bool
	torn     map[net.Conn]int // how many bytes are still sent to this client before its connection is cut
	accepted int
	sent     strings.Builder
	closed   bool
}

// StartProxy starts a proxy for a server's host:port. It ends with the test.
func StartProxy(t testing.TB, server string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{
		Address: listener.Addr().String(),
		open:    map[net.Conn]bool{}, stalled: map[net.Conn]bool{}, torn: map[net.Conn]int{},
	}
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

// Tear resets each connection that is open after this number of further bytes for the client. A negative
// number takes that back.
func (p *Proxy) Tear(bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.torn)
	for connection, isClient := range p.open {
		if isClient && bytes >= 0 {
			p.torn[connection] = bytes
		}
	}
}

// Stall drops from now on all bytes on the connections that are open. It does not close them.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for connection := range p.open {
		p.stalled[connection] = true
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
	if !p.add(client, server) {
		return
	}
	defer p.remove(client, server)
	var both sync.WaitGroup
	pipe := func(to, from net.Conn, record io.Writer) {
		_, _ = io.Copy(direction{p, to, record}, from) // Any error ends both directions.
		from.Close()
		to.Close()
	}
	both.Go(func() { pipe(server, client, &p.sent) })
	both.Go(func() { pipe(client, server, io.Discard) })
	both.Wait()
}

func (p *Proxy) add(client, server net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[client], p.open[server] = true, false
	return !p.closed
}

func (p *Proxy) remove(connections ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, connection := range connections {
		delete(p.open, connection)
		delete(p.stalled, connection)
		delete(p.torn, connection)
	}
}

// direction is a connection that bytes are copied to. It drops them if the connection is stalled.
type direction struct {
	proxy  *Proxy
	to     net.Conn
	record io.Writer // protected by the proxy's mu
}

func (d direction) Write(b []byte) (int, error) {
	const recorded = 1 << 20
	p := d.proxy
	p.mu.Lock()
	if p.sent.Len() < recorded {
		_, _ = d.record.Write(b) // It never fails.
	}
	stalled := p.stalled[d.to]
	left, torn := p.torn[d.to]
	if torn {
		p.torn[d.to] = left - len(b)
	}
	p.mu.Unlock()
	switch {
	case stalled:
		return len(b), nil
	case torn && len(b) > left:
		n, _ := d.to.Write(b[:max(left, 0)])
		_ = d.to.(*net.TCPConn).SetLinger(0) // Closing it then resets it.
		return n, net.ErrClosed
	}
	return d.to.Write(b)
}
