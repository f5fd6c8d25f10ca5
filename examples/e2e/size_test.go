package e2e_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"testing"
)

// A page loads the client before it does anything else.
func TestTheClientIsSmall(t *testing.T) {
	const limit = 4 << 10
	if _, err := os.Stat("lint/node_modules/.bin/esbuild"); err != nil {
		t.Fatal("esbuild is not installed: npm ci --prefix examples/e2e/lint --ignore-scripts")
	}
	source, err := os.ReadFile("../browser/novcomet.js")
	if err != nil {
		t.Fatal(err)
	}
	minified, err := exec.Command("npm", "run", "--prefix", "lint", "--silent", "minify").Output()
	if err != nil || len(minified) == 0 {
		t.Fatalf("minifying: %d bytes, %v", len(minified), err)
	}
	var compressed bytes.Buffer
	w, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(minified); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("novcomet.js has %d bytes, minified %d, and compressed %d, of %d at most", len(source), len(minified), compressed.Len(), limit)
	if compressed.Len() >= limit {
		t.Error("that is too much")
	}
}
