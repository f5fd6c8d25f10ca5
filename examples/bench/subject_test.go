package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"novcomet/examples/internal/launch"
)

func TestStart_KeepsConnectionsOnlyIfItShould(t *testing.T) {
	b := &bench{scratch: t.TempDir()}
	for _, with := range []launch.Server{"", launch.Nginx} {
		b.with = with
		for _, keep := range []bool{false, true} {
			s, err := b.start(t.Context(), cometFCGI, keep)
			if err != nil {
				t.Fatal(err)
			}
			defer s.stop()
			c := &client{subject: s}
			defer c.leave()
			if err := c.subscribe(event(0)); err != nil {
				t.Fatal(err)
			}
			touch := func() error { return s.touch(event(0)) }
			if _, err := c.sample(1, touch); err != nil {
				t.Fatal(err)
			}
			before := sockets(s.process)
			_, err = c.sample(1, func() error {
				err := waitUntil(t.Context(), 10*time.Millisecond, func() error {
					isOld := func(socket string) bool { return slices.Contains(before, socket) }
					if opened := slices.DeleteFunc(sockets(s.process), isOld); len(opened) > 0 == keep {
						return fmt.Errorf("opened for the second poll: %v", opened)
					}
					return nil
				})
				return errors.Join(err, touch())
			})
			if err != nil {
				t.Errorf("--with %q, connections kept: %v: %v", with, keep, err)
			}
		}
	}
}

// sockets returns the names of the open sockets of a process.
func sockets(p process) (names []string) {
	files, _ := filepath.Glob(p.path("fd/*"))
	for _, file := range files {
		if name, err := os.Readlink(file); err == nil && strings.HasPrefix(name, "socket:") {
			names = append(names, name)
		}
	}
	return names
}
