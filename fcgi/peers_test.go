package main

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Whoever can connect can say anything: which user, which location. So a socket that other machines can reach takes
// records only from the web server.
func TestRecordsForgedOnATCPSocketAreNotRead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, allowed string
		served        bool
	}{
		{"everybody is allowed", "", true},
		{"the web server", "192.0.2.1,127.0.0.1", true},
		{"the web server, as IPv6 writes it", "::ffff:127.0.0.1", true},
		{"with spaces", " 192.0.2.1 , 127.0.0.1 ", true},
		{"anybody else", "192.0.2.1", false},
		{"its neighbour", "127.0.0.2,::1", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			address := freePort(t)
			p := start(t, t.TempDir(), arrangement{args: []string{"--listen", address}, env: []string{webServersVariable + "=" + test.allowed}})
			var c net.Conn
			eventually(t, "it listens", func() (ok bool) {
				var err error
				c, err = net.Dial("tcp", address)
				return err == nil
			})
			defer c.Close()
			forged := asked("publish=a")
			forged["COMET_USER"], forged["REMOTE_ADDR"] = "root", "127.0.0.1"
			_ = c.SetDeadline(time.Now().Add(patience))
			_, _ = c.Write(sentRequest(1, 0, forged, "")) // It may be closed already.
			answer := make([]byte, 1<<10)
			n, err := c.Read(answer)
			if test.served != (n > 0 && strings.Contains(string(answer[:n]), "true")) {
				t.Errorf("read %q, %v", answer[:n], err)
			}
			if !test.served {
				eventually(t, "it says so", func() bool { return strings.Contains(p.stderr.String(), webServersVariable) })
			}
		})
	}
}

func TestASocketFileIsForWhomItsModeLetsIn(t *testing.T) {
	t.Parallel()
	_, path := served(t, t.TempDir(), webServersVariable+"=192.0.2.1")
	wantAnswer(t, ask(t, path, asked("publish=a"), ""), http.StatusOK, "true")
}

func TestAnAddressThatIsNoneStopsTheStart(t *testing.T) {
	t.Parallel()
	for _, addresses := range []string{"localhost", "127.0.0.1,", "127.0.0.0/8", " "} {
		p := start(t, t.TempDir(), arrangement{args: []string{"--listen", freePort(t)}, env: []string{webServersVariable + "=" + addresses}})
		if status := p.status(); status != 1 {
			t.Errorf("%q: status %d, want 1", addresses, status)
		}
		wantText(t, p.stderr.String(), webServersVariable, "is not an IP address")
	}
}
