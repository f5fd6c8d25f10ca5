package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// webServersVariable is an environment variable of FastCGI (section 3.2): the addresses from which web
// servers may connect, separated by commas. It applies to TCP only. The mode of a socket file decides who may
// connect to it.
const webServersVariable = "FCGI_WEB_SERVER_ADDRS"

// allowlist is the addresses that may connect; nil: all.
type allowlist []netip.Addr

func allowlistOf(environ []string) (allowlist, error) {
	var allowed allowlist
	for _, variable := range environ {
		addresses, ok := strings.CutPrefix(variable, webServersVariable+"=")
		if !ok || addresses == "" {
			continue
		}
		for text := range strings.SplitSeq(addresses, ",") {
			address, err := netip.ParseAddr(strings.TrimSpace(text))
			if err != nil {
				return nil, fmt.Errorf("environment variable %s: %q is not an IP address: give IP addresses, separated by commas",
					webServersVariable, text)
			}
			allowed = append(allowed, normalize(address))
		}
	}
	return allowed, nil
}

// normalize returns an address in one form. 127.0.0.1 can also be written as an IPv6 address.
func normalize(address netip.Addr) netip.Addr { return address.Unmap().WithZone("") }

// restrict returns the listeners. Those on TCP accept connections from the allowed addresses only.
func (a allowlist) restrict(listeners []net.Listener, log *slog.Logger) []net.Listener {
	restricted := slices.Clone(listeners)
	for i, l := range restricted {
		if a != nil && l.Addr().Network() == "tcp" {
			restricted[i] = &allowlistListener{l, a, log}
		}
	}
	return restricted
}

type allowlistListener struct {
	net.Listener
	allowed allowlist
	log     *slog.Logger
}

// Accept closes connections from other addresses, without reading from them.
func (l *allowlistListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, err := netip.ParseAddrPort(c.RemoteAddr().String())
		if err == nil && slices.Contains(l.allowed, normalize(from.Addr())) {
			return c, nil
		}
		c.Close()
		l.log.Warn("refused a connection from an address that is not in "+webServersVariable,
			"from", c.RemoteAddr().String())
	}
}
