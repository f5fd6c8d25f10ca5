package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal returns a terminal, and a function that waits until its text matches the pattern.
func openTerminal(t *testing.T) (terminal *os.File, wantShown func(pattern string)) {
	t.Helper()
	// Non-blocking, so that reading has a deadline.
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	master := os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return terminal, func(pattern string) {
		t.Helper()
		master.SetReadDeadline(time.Now().Add(time.Minute))
		shown, buffer := "", make([]byte, 1<<10)
		for !regexp.MustCompile(pattern).MatchString(shown) {
			n, err := master.Read(buffer)
			if err != nil {
				t.Fatalf("shown: %q, then %v; want %s", shown, err, pattern)
			}
			shown += string(buffer[:n])
		}
	}
}

func TestProgress_IsShownOnATerminalOnly(t *testing.T) {
	terminal, wantShown := openTerminal(t)
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, w := range []*os.File{terminal, file} {
		p := newProgress(w)
		p.show("measuring")
		p.show("measuring more")
		p.done()
	}
	wantShown(`[0-9]+ s  measuring\r\x1b\[K +[0-9]+ s  measuring more\r\n`)
	if written, err := os.ReadFile(file.Name()); err != nil || len(written) > 0 {
		t.Errorf("in a file: %q, %v; want nothing", written, err)
	}
}
