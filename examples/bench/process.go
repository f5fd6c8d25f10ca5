package main

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"
)

// process is a running program, seen from outside.
type process int

func (p process) path(name string) string { return filepath.Join("/proc", strconv.Itoa(int(p)), name) }

// memory returns the bytes that are the process's own share (PSS).
func (p process) memory() (float64, error) { return p.bytes("smaps_rollup", "Pss:") }

// resident returns RSS, peak the most it was since resetPeak; both in bytes.
func (p process) resident() (float64, error) { return p.bytes("status", "VmRSS:") }
func (p process) peak() (float64, error)     { return p.bytes("status", "VmHWM:") }

func (p process) resetPeak() error {
	return errors.Wrap(os.WriteFile(p.path("clear_refs"), []byte("5"), 0), "resetting the peak of memory")
}

func (p process) bytes(file, field string) (float64, error) {
	f, err := os.Open(p.path(file))
	if err != nil {
		return 0, errors.Wrap(err, "measuring memory")
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) >= 2 && words[0] == field {
			kib, err := strconv.ParseFloat(words[1], 64)
			return kib * 1024, errors.Wrap(err, "measuring memory")
		}
	}
	return 0, errors.Errorf("%s of process %d has no %s", file, p, field)
}

// cpu returns the CPU time that all its threads have used so far.
func (p process) cpu() (time.Duration, error) {
	const scheduler = 2 // of the clocks that Linux has for another process, the one that counts nanoseconds
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^int(p)<<3|scheduler), &t); err != nil {
		return 0, errors.Wrap(err, "measuring CPU time")
	}
	return time.Duration(t.Nano()), nil
}

// files returns how many files it has open.
func (p process) files() (int, error) {
	d, err := os.Open(p.path("fd"))
	if err != nil {
		return 0, errors.Wrap(err, "counting open files")
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	return len(names), errors.Wrap(err, "counting open files")
}

// children returns the processes of this name that p has started.
func (p process) children(name string) []process {
	return slices.DeleteFunc(p.offspring(), func(c process) bool { return c.name() != name })
}

// descendants returns all processes that p has started, and those that these have started, and so on.
func (p process) descendants() []process {
	all := p.offspring()
	for i := 0; i < len(all); i++ {
		all = append(all, all[i].offspring()...)
	}
	return all
}

// offspring returns the processes that p has started.
func (p process) offspring() []process {
	var found []process
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range paths {
		number, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if c := process(number); err == nil && c.stat(1) == strconv.Itoa(int(p)) {
			found = append(found, c)
		}
	}
	return found
}

// name is the program's, cut to 15 bytes; empty, if it has ended.
func (p process) name() string {
	text, _ := os.ReadFile(p.path("comm"))
	return strings.TrimSuffix(string(text), "\n")
}

// stat returns a field of /proc/PID/stat, counted from 0 behind the name; empty, if it has ended.
func (p process) stat(field int) string {
	text, _ := os.ReadFile(p.path("stat"))
	_, after, _ := strings.Cut(string(text), ") ")
	words := strings.Fields(after)
	if len(words) <= field {
		return ""
	}
	return words[field]
}
