//go:build e2e

package main

import (
	"testing"

	"novcomet/core/store/files/coarsetest"
)

func TestStart_IsRefusedWhereOnlySecondsAreKept(t *testing.T) {
	directory := coarsetest.Mount(t)
	socket, _ := boundSocket(t)
	p := start(t, directory, arrangement{stdin: socket})
	if status := p.status(); status != 1 {
		t.Errorf("status %d, want 1", status)
	}
	wantText(t, p.stderr.String(), "file.directory", directory, "units of 1s", "/dev/shm")

	status, said := runChecked(t, asProgram, directory, nil, nil)
	if status != 1 {
		t.Errorf("check: status %d, want 1", status)
	}
	wantText(t, said, "problem  directory", "units of 1s", "/dev/shm")
}
