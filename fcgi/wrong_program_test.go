package main

import (
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

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

// Otherwise, the kernel resets the connection to Apache's mod_cgid, and the answer is lost.
func TestWrongProgram_ReadsTheBodyOfACGIRequest(t *testing.T) {
	t.Parallel()
	stdin, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	defer writer.Close()
	body := strings.Repeat("x", 60_000) // It fits into the pipe, but not into one call of read.
	if _, err := io.WriteString(writer, body); err != nil {
		t.Fatal(err)
	}
	p := start(t, t.TempDir(), startOptions{
		stdin: stdin, env: []string{"GATEWAY_INTERFACE=CGI/1.1", "CONTENT_LENGTH=" + strconv.Itoa(len(body))},
	})
	p.wantExit(1)
	if n, err := unix.IoctlGetInt(int(stdin.Fd()), unix.TIOCINQ); err != nil || n != 0 {
		t.Errorf("%d bytes of the body are unread, %v", n, err)
	}
	wantText(t, p.stdout.String(), `{"error":"`)
}
