package main

import (
	"testing"

	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// A web server passes a query without "=" as arguments, so they are a visitor's.
func TestWrongProgram_IgnoresTheArgumentsOfACGIRequest(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		nil, {"--version"}, {"-h"}, {"--config", "/etc/passwd"}, {"--listen", "127.0.0.1:9"}, {"check"}, {"nonsense"},
	} {
		env := []string{"GATEWAY_INTERFACE=CGI/1.1", "REQUEST_METHOD=GET", "COMET_NONSENSE=1"}
		p := start(t, t.TempDir(), startOptions{args: args, env: env})
		p.wantExit(1)
		r, err := ParseResponse(0, []byte(p.stdout.String()))
		if err != nil || r.Status != 500 || r.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%q: %v, %s", args, err, p.stdout)
		}
		wantText(t, r.Body, `{"error":"`, "comet.cgi")
		wantOnly(t, p.stderr, "")
	}
}
