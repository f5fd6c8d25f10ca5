//go:build linux

package servertest

import (
	_ "embed"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

//go:embed testdata/clock.c
var clockC []byte

// clock returns the environment variables that set the server's clock ahead. (libfaketime does not work: it
// does not start together with the jemalloc of Debian's Redis.)
func (r *Redis) clock() []string {
	if r.Ahead == 0 && !r.SettableClock {
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
	r.SetAhead(r.Ahead)
	return []string{"LD_PRELOAD=" + library, "AHEAD=" + r.aheadFile()}
}

// SetAhead sets how far the clock of a server with a SettableClock is ahead, in whole seconds.
func (r *Redis) SetAhead(ahead time.Duration) {
	r.t.Helper()
	file, err := os.OpenFile(r.aheadFile(), os.O_WRONLY|os.O_CREATE, 0o600) // The server has mapped it: do not replace it.
	if err != nil {
		r.t.Fatal(err)
	}
	defer file.Close()
	seconds := binary.NativeEndian.AppendUint64(nil, uint64(ahead/time.Second))
	if _, err := file.WriteAt(seconds, 0); err != nil {
		r.t.Fatal(err)
	}
	r.Ahead = ahead
}

func (r *Redis) aheadFile() string { return filepath.Join(r.directory, "ahead") }
