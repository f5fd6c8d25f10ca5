package main

import (
	"fmt"
	"log/slog"
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

// normalize returns the form in which addresses are compared. 127.0.0.1 can also be written as an IPv6
// address.
func normalize(address netip.Addr) netip.Addr { return address.Unmap().WithZone("") }

// check returns a function that reports whether an address may connect; nil: all may. It logs each refusal.
func (a allowlist) check(log *slog.Logger) func(netip.AddrPort) bool {
	if a == nil {
		return nil
	}
	return func(from netip.AddrPort) bool {
		allowed := slices.Contains(a, normalize(from.Addr()))
		if !allowed {
			log.Warn("refused a connection from an address that is not in "+webServersVariable, "from", from.String())
		}
		return allowed
	}
}
