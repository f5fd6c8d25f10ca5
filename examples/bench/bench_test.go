package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
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

func TestEveryFigureIsMeasured(t *testing.T) {
	t.Run("alone", func(t *testing.T) { measuresEverything(t, slices.Concat(many)) })
	t.Run("nginx", func(t *testing.T) { measuresEverything(t, slices.Concat(many, front), "--with", "nginx") })
}

func measuresEverything(t *testing.T, wanted []figure, more ...string) {
	const waiters = 50
	dir := t.TempDir()
	figures, chart := filepath.Join(dir, "figures.json"), filepath.Join(dir, "chart.svg")
	args := append([]string{"--waiters", "50", "--rounds", "2", "--leaves", "2", "--samples", "3", "--window", "200ms",
		"--streams", "30", "--json", figures, "--plot", chart}, more...)
	before := directories(t)
	var table, progress bytes.Buffer
	err := run(t.Context(), args, &table, &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	if left := directories(t); len(left) > len(before) {
		t.Errorf("left behind: %q", left)
	}

	var report struct {
		Measurements []struct {
			Program string
			Waiters int
			Figures map[string]struct{ Samples []float64 }
		}
	}
	read(t, figures, func(text []byte) error { return json.Unmarshal(text, &report) })
	found := map[string]map[string]bool{}
	for _, m := range report.Measurements {
		names := found[fmt.Sprint(m.Program, m.Waiters)]
		if names == nil {
			names = map[string]bool{}
			found[fmt.Sprint(m.Program, m.Waiters)] = names
		}
		for name, values := range m.Figures {
			names[name] = true
			if len(values.Samples) == 0 || !sane(name, values.Samples) {
				t.Errorf("%s, %d waiting: %s is %v", m.Program, m.Waiters, name, values.Samples)
			}
		}
	}
	for _, k := range kinds {
		for waiters, want := range map[int][]figure{1: single, waiters: wanted} {
			for _, f := range want {
				if !found[fmt.Sprint(k.name, waiters)][f.key] {
					t.Errorf("%s, %d waiting: no %s; there is %q", k.name, waiters, f.key,
						slices.Sorted(maps.Keys(found[fmt.Sprint(k.name, waiters)])))
				}
				if !strings.Contains(table.String(), f.label) {
					t.Errorf("the table has no line %q:\n%s", f.label, table.String())
				}
			}
		}
	}
	for _, program := range []string{streams, polls} {
		for _, f := range reading {
			if !found[fmt.Sprint(program, 30)][f.key] || !strings.Contains(table.String(), f.label) {
				t.Errorf("%s: no %s; there is %v", program, f.key, found[fmt.Sprint(program, 30)])
			}
		}
	}
	read(t, chart, func(text []byte) error {
		for d := xml.NewDecoder(bytes.NewReader(text)); ; {
			if _, err := d.Token(); err != nil {
				if err == io.EOF {
					return nil
				}
				return err
			}
		}
	})
}

// sane reports whether the values can be. Memory may shrink by a garbage collection, and waiting for a moment may cost
// nothing; everything else takes time.
func sane(name string, values []float64) bool {
	const gib, minute = 1 << 30, 60
	least, most := 0.0, float64(minute)
	if strings.Contains(name, "memory") || name == "peak" {
		least, most = -gib, gib
	}
	return slices.Min(values) >= least && slices.Max(values) <= most && (least < 0 || strings.HasPrefix(name, "idle") || slices.Max(values) > 0)
}

func read(t *testing.T, path string, parse func([]byte) error) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = parse(text)
	}
	if err != nil {
		t.Errorf("%s: %v", filepath.Base(path), err)
	}
}

func directories(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, parent := range []string{"/dev/shm", os.TempDir()} {
		some, err := filepath.Glob(filepath.Join(parent, temporary+"*"))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, some...)
	}
	return found
}

func TestOptionsThatCanNotBeAreRefused(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"--waiters 0", "from 1"},
		{"--waiters 100000000", "ulimit"},
		{"--rounds 0", "from 1"},
		{"--streams -1", "from 0"},
		{"--streams 100000000", "ulimit"},
		{"--window 1h", "100ms to 30s"},
		{"--with iis", "nginx"},
		{"--only iis", "plain"},
		{"--plot chart.png", ".svg"},
		{"more", "--help"},
		{"--soak 1s", "from 2s"},
		{"--soak 2s --with iis", "nginx"},
		{"--soak 2s --pages 1", "from 2"},
		{"--soak 2s --pages 100000000", "ulimit"},
		{"--soak 2s --slack -1s", "0s"},
		{"--soak 2s --plot chart.svg", "leave out"},
	} {
		err := run(t.Context(), strings.Fields(test.args), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want an error that says %q", test.args, err, test.want)
		}
	}
}

func TestARequestIsAsLongAsOneOfNginx(t *testing.T) {
	if n := len(pairs("subscribed[event-00000]=1763800000.123456", anything)); n < 850 || n > 950 {
		t.Errorf("the variables take %d bytes, want about 900", n)
	}
}

func TestTheTimeIsBounded(t *testing.T) {
	err := run(t.Context(), []string{"--waiters", "1", "--time", "1ms"}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "--time") {
		t.Errorf("%v; want an error that names --time", err)
	}
}
