package core_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// It tells at once, also in a short run, which mutation has to be written anew when the code is.
func TestEachRuleIsFoundInTheCodeOnce(t *testing.T) {
	for _, m := range slices.Concat(mutations, mutationsOfStreams) {
		m.mutated(t)
	}
}

// mutation is a rule of delivery, and how to break it: a text that is there once, and what to put in its place.
type mutation struct {
	rule         string
	file         string
	text, broken string
}

// mutated returns the file's path and its text with the rule broken.
func (m mutation) mutated(t *testing.T) (path, source string) {
	t.Helper()
	path, err := filepath.Abs(m.file)
	if err != nil {
		t.Fatal(err)
	}
	original, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(original), m.text); n != 1 {
		t.Fatalf("%s: %q is %d times in %s; want it once", m.rule, m.text, n, m.file)
	}
	return path, strings.Replace(string(original), m.text, m.broken, 1)
}
