package main

import (
	"bytes"
	"io"
	"testing"
)

func TestQuietWriter_DropsNotices(t *testing.T) {
	var written bytes.Buffer
	w := &quietWriter{to: &written}
	for _, part := range []string{
		"[Sun Nov 22] [core:notice] [pid 1:tid 1] AH00094: Command line\n[Sun] [core:wa", "rn] kept\n",
		"2026-11-22 17:24:52: (server.c.1704) server started (lighttpd/1.4.69)\n",
		`{"level":"info","ts":1,"msg":"using provided configuration"}` + "\n",
		`{"level":"warn","msg":"admin endpoint disabled"}` + "\n",
		"kept too\n",
	} {
		io.WriteString(w, part)
	}
	if got, want := written.String(), "[Sun] [core:warn] kept\nkept too\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
