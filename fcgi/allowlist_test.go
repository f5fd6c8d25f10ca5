package main

import (
	"testing"

	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// A client of the socket can claim to be any user at any location.
func TestAllowlist_RefusesConnectionsFromOtherAddresses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, allowed string
		served        bool
	}{
		{"no addresses", "", true},
		{"the web server's address", "192.0.2.1,127.0.0.1", true},
		{"the same as IPv6", "::ffff:127.0.0.1", true},
		{"with spaces", " 192.0.2.1 , 127.0.0.1 ", true},
		{"another address", "192.0.2.1", false},
		{"similar addresses", "127.0.0.2,::1", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			address := freeAddress(t)
			p := start(t, t.TempDir(), startOptions{
				args: []string{"--listen", address}, env: []string{webServersVariable + "=" + test.allowed},
			})
			p.waitUntilReady()
			w := connect(t, address)
			forged := With(Get("publish=a"), "COMET_USER", "root", "REMOTE_ADDR", "127.0.0.1")
			_, _ = w.Write(Request(1, 0, forged, "")) // The connection may be closed already.
			if r, err := w.Response(1); (r.Body == "true") != test.served {
				t.Errorf("%s, %v", r.Body, err)
			}
			if !test.served {
				p.wantMessage("level=WARN", webServersVariable)
			}
		})
	}
}

func TestAllowlist_DoesNotApplyToASocketFile(t *testing.T) {
	t.Parallel()
	_, path := startServer(t, t.TempDir(), webServersVariable+"=192.0.2.1")
	wantPublished(t, path, "a")
}

func TestAllowlist_RefusesAnInvalidAddress(t *testing.T) {
	t.Parallel()
	for _, addresses := range []string{"localhost", "127.0.0.1,", "127.0.0.0/8", " "} {
		p := start(t, t.TempDir(), startOptions{
			args: []string{"--listen", freeAddress(t)}, env: []string{webServersVariable + "=" + addresses},
		})
		p.wantExit(1, webServersVariable, "is not an IP address")
	}
}
