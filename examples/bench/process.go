package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"
)

// process is the number of a running process.
type process int

func (p process) path(name string) string { return filepath.Join("/proc", strconv.Itoa(int(p)), name) }

// memory returns the bytes that are the process's own share (PSS).
func (p process) memory() (float64, error) { return p.bytes("smaps_rollup", "Pss:") }

// peak returns the most memory (RSS) since resetPeak, in bytes.
func (p process) peak() (float64, error) { return p.bytes("status", "VmHWM:") }

func (p process) resetPeak() error {
	return errors.Wrap(os.WriteFile(p.path("clear_refs"), []byte("5"), 0), "resetting the peak of memory")
}

func (p process) bytes(file, field string) (float64, error) {
	text, err := os.ReadFile(p.path(file))
	if err != nil {
		return 0, errors.Wrap(err, "measuring memory")
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) >= 2 && words[0] == field {
			kib, err := strconv.ParseFloat(words[1], 64)
			return kib * 1024, errors.Wrap(err, "measuring memory")
		}
	}
	return 0, fmt.Errorf("%s has no %s", p.path(file), field)
}

// cpu returns the seconds of CPU time that all its threads have used.
func (p process) cpu() (float64, error) {
	const scheduler = 2 // Linux's clock of another process that counts nanoseconds
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^int(p)<<3|scheduler), &t); err != nil {
		return 0, errors.Wrap(err, "measuring CPU time")
	}
	return time.Duration(t.Nano()).Seconds(), nil
}

// files returns the number of its open files.
func (p process) files() (int, error) {
	names, err := os.ReadDir(p.path("fd"))
	return len(names), errors.Wrap(err, "counting open files")
}

// descendants returns the processes with one of these names that this process has started, directly or not.
func descendants(names ...string) []process {
	type running struct {
		process
		name, parent string
	}
	var all []running
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range paths {
		text, _ := os.ReadFile(path) // It may have ended.
		number, after, _ := strings.Cut(string(text), " (")
		name, after, _ := strings.Cut(after, ") ")
		if words := strings.Fields(after); len(words) > 1 {
			id, _ := strconv.Atoi(number)
			all = append(all, running{process(id), name, words[1]})
		}
	}
	family := []process{process(os.Getpid())}
	var found []process
	for i := 0; i < len(family); i++ {
		for _, r := range all {
			if r.parent == strconv.Itoa(int(family[i])) {
				family = append(family, r.process)
				if slices.Contains(names, r.name) {
					found = append(found, r.process)
				}
			}
		}
	}
	return found
}
