package soak

import (
	"fmt"
	"os"
	"testing"
)

// host lets package servertest start its servers outside of a test.
type host struct {
	testing.TB // not set; the methods that servertest calls are below
	cleanups   []func()
}

// fatal is what Fatal panics with: the reason why a server could not be used.
type fatal string

func (h *host) Helper()                           {}
func (h *host) Cleanup(f func())                  { h.cleanups = append(h.cleanups, f) }
func (h *host) Fatal(values ...any)               { panic(fatal(fmt.Sprint(values...))) }
func (h *host) Fatalf(format string, args ...any) { panic(fatal(fmt.Sprintf(format, args...))) }

func (h *host) TempDir() string {
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

// recoverFatal turns Fatal into an error of the function that defers it.
func recoverFatal(err *error) {
	switch reason := recover().(type) {
	case nil:
	case fatal:
		*err = fmt.Errorf("%s", string(reason))
	default:
		panic(reason)
	}
}

func (h *host) close() {
	for i := len(h.cleanups) - 1; i >= 0; i-- {
		h.cleanups[i]()
	}
}
