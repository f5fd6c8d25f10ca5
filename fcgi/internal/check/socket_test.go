package check_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"novcomet/fcgi/internal/check"
)

func TestSocket_WhereNoFastCGIProgramAnswersIsAProblem(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "check-") // The path of a socket is short.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	abandoned := filepath.Join(dir, "abandoned.sock")
	l, err := net.Listen("unix", abandoned)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	for listen, words := range map[string][]string{
		"unix:" + filepath.Join(dir, "none.sock"): {"no such file", "systemctl status"},
		"unix:" + abandoned:                       {"no program answers"},
		web.Listener.Addr().String():              {"FastCGI program"},
	} {
		wantFinding(t, installation{listen: listen}.check(t), check.Problem, "socket", words...)
	}
}
