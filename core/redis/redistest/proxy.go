package redistest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy stands between a client and a server, so that a test can cut their connections.
type Proxy struct {
	Address string

	listener net.Listener
	mu       sync.Mutex
	open     map[net.Conn]bool
	stalled  map[net.Conn]bool
	accepted int
	closed   bool
}

// StartProxy starts a proxy in front of a server's address. It ends with the test.
func StartProxy(t testing.TB, server string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Address: listener.Addr().String(), listener: listener, open: map[net.Conn]bool{}, stalled: map[net.Conn]bool{}}
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
			running.Go(func() { p.pass(client, server) })
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

// Cut cuts all connections; new ones are welcome.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for connection := range p.open {
		connection.Close()
	}
}

// Stall lets nothing pass any more on the connections that there are, and does not close them.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for connection := range p.open {
		p.stalled[connection] = true
	}
}

// Accepted returns how many connections there have been.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// pass passes on what comes from both sides, until one of them ends.
func (p *Proxy) pass(client net.Conn, address string) {
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
	for from, to := range map[net.Conn]net.Conn{client: server, server: client} {
		both.Go(func() {
			_, _ = io.Copy(passage{p, to}, from) // However it ends, it ends.
			from.Close()
			to.Close()
		})
	}
	both.Wait()
}

func (p *Proxy) add(connections ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, connection := range connections {
		p.open[connection] = true
	}
	return !p.closed
}

func (p *Proxy) remove(connections ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, connection := range connections {
		delete(p.open, connection)
		delete(p.stalled, connection)
	}
}

// passage swallows what is written to a connection that is stalled.
type passage struct {
	proxy *Proxy
	to    net.Conn
}

func (w passage) Write(b []byte) (int, error) {
	w.proxy.mu.Lock()
	stalled := w.proxy.stalled[w.to]
	w.proxy.mu.Unlock()
	if stalled {
		return len(b), nil
	}
	return w.to.Write(b)
}
