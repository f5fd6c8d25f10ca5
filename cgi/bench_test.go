package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// BenchmarkAnswer compares the CPU time of one answer of comet.cgi, from its start to its end, with that of the smallest
// program there can be, in turns. The ratio of the medians is to be at most 1.5.
func BenchmarkAnswer(b *testing.B) {
	directory := b.TempDir()
	comet, reference := build(b, directory, "."), build(b, directory, "./testdata/reference")
	environ := append(asked("publish=a"), "COMET_FILE_DIRECTORY="+directory)
	var ofComet, ofReference []time.Duration
	for b.Loop() {
		ofReference = append(ofReference, cpuTime(b, reference, environ))
		ofComet = append(ofComet, cpuTime(b, comet, environ))
	}
	b.ReportMetric(float64(median(ofComet).Microseconds()), "µs-cpu/comet.cgi")
	b.ReportMetric(float64(median(ofReference).Microseconds()), "µs-cpu/reference")
	b.ReportMetric(float64(median(ofComet))/float64(median(ofReference)), "ratio")
}

func build(b *testing.B, directory, source string) (program string) {
	b.Helper()
	program = filepath.Join(directory, filepath.Base(source)+".cgi")
	if out, err := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, source).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return program
}

func cpuTime(b *testing.B, program string, environ []string) time.Duration {
	b.Helper()
	cmd := exec.Command(program)
	cmd.Env, cmd.Stderr = environ, os.Stderr
	out, err := cmd.Output()
	if err != nil || string(out[max(len(out)-4, 0):]) != "true" {
		b.Fatalf("%v: %q", err, out)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
