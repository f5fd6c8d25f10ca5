//go:build linux

package servertest

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed testdata/clock.c
var clockC []byte

// clock returns the environment variables that set the server's clock ahead. (libfaketime does not work: it
// does not start together with the jemalloc of Debian's Redis.)
func (r *Redis) clock() []string {
	if r.Ahead == 0 {
		return nil
	}
	r.t.Helper()
	source, library := filepath.Join(r.directory, "clock.c"), filepath.Join(r.directory, "clock.so")
	if err := os.WriteFile(source, clockC, 0o600); err != nil {
		r.t.Fatal(err)
	}
	output, err := exec.Command("gcc", "-shared", "-fPIC", "-O", "-o", library, source).CombinedOutput()
	if err != nil {
		r.t.Fatalf("gcc (apt install gcc): %v: %s", err, output)
	}
	return []string{"LD_PRELOAD=" + library, fmt.Sprintf("AHEAD=%d", int(r.Ahead.Seconds()))}
}
