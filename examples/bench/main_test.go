package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if socket := os.Getenv(plainSocket); socket != "" { // The bench starts its own binary as the plain program.
		fmt.Fprintln(os.Stderr, servePlain(socket))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func TestRun_GivesUpAfterTheTime(t *testing.T) {
	err := run(t.Context(), []string{"--waiters", "1", "--time", "1ms"}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "--time") {
		t.Errorf("%v; want an error that names --time", err)
	}
}

// wantFigures runs the bench. It wants these figures of each column, which is named "TABLE: PROGRAM", in the
// JSON file and in the tables, and no directory left behind.
func wantFigures(t *testing.T, want map[string][]figure, args ...string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "figures.json")
	before := directories(t)
	var table, stderr bytes.Buffer
	if err := run(t.Context(), append(args, "--json", file), &table, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	if after := directories(t); len(after) > len(before) {
		t.Errorf("left behind: %q", after)
	}
	var report struct {
		Machine      string
		Measurements []struct {
			Table, Program string
			Figures        map[string]struct{ Samples []float64 }
		}
	}
	wantJSON(t, file, &report)
	if report.Machine == "" {
		t.Error("the machine has no name")
	}
	found := map[string]bool{}
	for _, m := range report.Measurements {
		column := m.Table + ": " + m.Program
		found[column] = true
		for _, f := range want[column] {
			if samples := m.Figures[f.key].Samples; !sane(f, samples) {
				t.Errorf("%s: %s is %v", column, f.key, samples)
			}
			if !strings.Contains(table.String(), f.label) {
				t.Errorf("the table has no row %q:\n%s", f.label, table.String())
			}
		}
	}
	for column := range want {
		if !found[column] {
			t.Errorf("%q is not measured", column)
		}
	}
}

// sane reports whether the values are possible. Memory may shrink by a garbage collection, and an idle
// program may use no CPU time.
func sane(f figure, values []float64) bool {
	const gib, minute = 1 << 30, 60
	if len(values) == 0 {
		return false
	}
	least, most := slices.Min(values), slices.Max(values)
	switch f.unit {
	case kib, mib:
		return least >= -gib && most <= gib
	case ofACore:
		return least >= 0 && most <= minute
	case perSecond:
		return least >= 1
	}
	return least >= 0 && most > 0 && most <= minute
}

func wantJSON(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Errorf("%s: %v", filepath.Base(path), err)
	}
}

func directories(t *testing.T) (found []string) {
	t.Helper()
	for _, parent := range []string{"/dev/shm", os.TempDir()} {
		some, err := filepath.Glob(filepath.Join(parent, temporary+"*"))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, some...)
	}
	return found
}
