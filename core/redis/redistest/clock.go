package redistest

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed testdata/clock.c
var clockC []byte

// clock is the environment that sets the server's clock. libfaketime would do, but it does not start together with the
// jemalloc that Debian's Redis comes with.
func (s *Server) clock() []string {
	if s.Ahead == 0 {
		return nil
	}
	s.t.Helper()
	source, library := filepath.Join(s.directory, "clock.c"), filepath.Join(s.directory, "clock.so")
	if err := os.WriteFile(source, clockC, 0o600); err != nil {
		s.t.Fatal(err)
	}
	output, err := exec.Command("gcc", "-shared", "-fPIC", "-O", "-o", library, source).CombinedOutput()
	if _, missed := exec.LookPath("gcc"); missed != nil {
		s.t.Fatalf("gcc is not installed (apt install gcc): %v", missed)
	}
	if err != nil {
		s.t.Fatalf("gcc: %v: %s", err, output)
	}
	return []string{"LD_PRELOAD=" + library, fmt.Sprintf("AHEAD=%d", int(s.Ahead.Seconds()))}
}
