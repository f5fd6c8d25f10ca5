package soak

import (
	"fmt"
	"os"
	"testing"
)

// Host lets package servertest start its servers outside of a test.
type Host struct {
	testing.TB // not set; the methods that servertest calls are below
	cleanups   []func()
}

// fatal is what Fatal panics with: the reason why a server could not be used.
type fatal string

func (h *Host) Helper()                           {}
func (h *Host) Cleanup(f func())                  { h.cleanups = append(h.cleanups, f) }
func (h *Host) Fatal(values ...any)               { panic(fatal(fmt.Sprint(values...))) }
func (h *Host) Fatalf(format string, args ...any) { panic(fatal(fmt.Sprintf(format, args...))) }

func (h *Host) TempDir() string {
	directory, err := os.MkdirTemp("", "novcomet-soak-")
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { os.RemoveAll(directory) })
	if err := os.Chmod(directory, 0o755); err != nil { // The web server's user enters it.
		h.Fatal(err)
	}
	return directory
}

// RecoverFatal turns Fatal into an error of the function that defers it.
func RecoverFatal(err *error) {
	switch reason := recover().(type) {
	case nil:
	case fatal:
		*err = fmt.Errorf("%s", string(reason))
	default:
		panic(reason)
	}
}

// Close ends what was started.
func (h *Host) Close() {
	for i := len(h.cleanups) - 1; i >= 0; i-- {
		h.cleanups[i]()
	}
}
