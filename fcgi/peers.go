package main

import (
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// webServers is the variable in which whoever starts a FastCGI program says from which addresses web servers may connect,
// with commas between (FastCGI 1.0, section 3.2). It only says so of TCP: who may connect to a socket file, its mode says.
const webServers = "FCGI_WEB_SERVER_ADDRS"

// peers are the addresses that may connect; nil: all.
type peers []netip.Addr

func peersOf(environ []string) (peers, error) {
	var from peers
	for _, variable := range environ {
		addresses, ok := strings.CutPrefix(variable, webServers+"=")
		if !ok || addresses == "" {
			continue
		}
		for text := range strings.SplitSeq(addresses, ",") {
			address, err := netip.ParseAddr(strings.TrimSpace(text))
			if err != nil { // It must not be taken for "all".
				return nil, errors.Errorf("environment variable %s: %q is not an IP address: give some with commas between", webServers, text)
			}
			from = append(from, plain(address))
		}
	}
	return from, nil
}

// plain is an address in its one form: 127.0.0.1 can be written as one of IPv6, too.
func plain(address netip.Addr) netip.Addr { return address.Unmap().WithZone("") }

// restrict returns the listeners, those on TCP for these peers alone.
func (p peers) restrict(listeners []net.Listener, log *slog.Logger) []net.Listener {
	restricted := slices.Clone(listeners)
	for i, l := range restricted {
		if p != nil && l.Addr().Network() == "tcp" {
			restricted[i] = &choosy{Listener: l, allowed: p, log: log}
		}
	}
	return restricted
}

// choosy is a listener that accepts connections from some addresses alone.
type choosy struct {
	net.Listener
	allowed peers
	log     *slog.Logger

	mu         sync.Mutex
	complained time.Time
}

// Accept closes what comes from elsewhere, unread.
func (l *choosy) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, err := netip.ParseAddrPort(c.RemoteAddr().String())
		if err == nil && slices.Contains(l.allowed, plain(from.Addr())) {
			return c, nil
		}
		c.Close()
		l.complain(c.RemoteAddr())
	}
}

// complain logs who was refused, but not each time: that is up to whoever tries.
func (l *choosy) complain(from net.Addr) {
	const silence = time.Minute
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.complained) > silence {
		l.complained = time.Now()
		l.log.Warn("refused a connection from an address that is not in "+webServers, "from", from.String())
	}
}
