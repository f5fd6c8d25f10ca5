package e2e_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// npmFile returns the path of a file that npm has installed, and fails if it is missing.
func npmFile(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join("npm/node_modules", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: npm ci --prefix examples/e2e/npm --ignore-scripts", err)
	}
	return path
}

func TestClient_FilesAreMadeFromSource(t *testing.T) {
	npmFile(t, ".bin/esbuild")
	if output, err := exec.Command("node", "npm/build.js", "--check").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestClient_IsSmall(t *testing.T) {
	const limit = 5 << 10
	npmFile(t, ".bin/esbuild")
	source, err := os.ReadFile("../browser/novcomet.mjs")
	if err != nil {
		t.Fatal(err)
	}
	minified, err := exec.Command("npm", "run", "--prefix", "npm", "--silent", "minify").Output()
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
	t.Logf("novcomet.mjs has %d bytes, minified %d, compressed %d", len(source), len(minified), compressed.Len())
	if compressed.Len() > limit {
		t.Errorf("the compressed client has %d bytes, at most %d", compressed.Len(), limit)
	}
}

// The page of comet.php needs no change except for the client's file.
func TestClient_WorksInPageOfCometPHP(t *testing.T) {
	site := startPages(t)
	w := openWindow(t, startBrowser(t), site.URL+"/old.html")
	for _, id := range []string{"first", "second"} {
		// The page does not show when it begins to wait, so it publishes until the event arrives.
		const script = `(document.querySelector("a.%[1]s").click(), received.some((k) => Number.isInteger(k.%[1]s)))`
		w.waitUntil(t, fmt.Sprintf(script, id))
	}
	if got := evaluate[string](t, w, `typeof NovComet.init + typeof window.NovComet.run`); got != "functionfunction" {
		t.Errorf("NovComet is not a global name: %s", got)
	}
	w.wantEmptyConsole(t)
}

func TestClient_IsModuleToo(t *testing.T) {
	site := startPages(t)
	w := openWindow(t, startBrowser(t), site.URL+"/empty.html")
	got := evaluate[string](t, w, `import("/novcomet.mjs").then((all) => [
		Object.keys(all).sort(), all.default === all.NovComet, typeof all.default.run, typeof window.NovComet,
	].join())`)
	if want := "NovComet,default,true,function,undefined"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	w.wantEmptyConsole(t)
}
