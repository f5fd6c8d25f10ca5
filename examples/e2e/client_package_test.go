package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"novcomet/examples/internal/launch"
)

// project is testdata/bundlers with the installed package, in a directory of its own.
type project string

func (p project) run(t *testing.T, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = string(p)
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, output)
	}
	return string(output)
}

// installPackage installs the package as npm pack makes it.
func installPackage(t *testing.T) project {
	t.Helper()
	p := project(t.TempDir())
	if err := os.CopyFS(string(p), os.DirFS("testdata/bundlers")); err != nil {
		t.Fatal(err)
	}
	quiet := []string{"--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"}
	p.run(t, append([]string{"npm", "ci"}, quiet...)...)
	browser, err := filepath.Abs("../browser")
	if err != nil {
		t.Fatal(err)
	}
	archive := strings.TrimSpace(p.run(t, "npm", "pack", "--silent", browser))
	p.run(t, append([]string{"npm", "install", "--no-save", "./" + archive}, quiet...)...)
	return p
}

func TestPackage_WorksInProjects(t *testing.T) {
	p := installPackage(t)
	p.run(t, "node", "build.mjs")

	t.Run("in Node", func(t *testing.T) {
		for _, script := range []string{"built/esbuild-cjs.js", "built/rollup-cjs.js"} {
			renamed := strings.TrimSuffix(script, ".js") + ".cjs"
			p.run(t, "cp", script, renamed)
			if got := p.run(t, "node", renamed); got != "function true\n" {
				t.Errorf("%s prints %q", script, got)
			}
		}
		const script = `console.log(typeof NovComet.run, NovComet === all.default)`
		for name, load := range map[string][]string{
			"require": {"node", "-e", `const all = require("novcomet"), { NovComet } = all; ` + script},
			"import": {"node", "--input-type=module", "-e",
				`import * as all from "novcomet"; const { NovComet } = all; ` + script},
		} {
			if got := p.run(t, load...); got != "function true\n" {
				t.Errorf("%s prints %q", name, got)
			}
		}
		if got := p.run(t, "node", "server.mjs"); got != "<output>undefined</output>\n" {
			t.Errorf("on the server React renders %q", got)
		}
	})

	t.Run("in strict TypeScript", func(t *testing.T) {
		text, err := os.ReadFile(filepath.Join(string(p), "types.ts"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"types.mts", "types.cts"} { // ES modules and CommonJS
			if err := os.WriteFile(filepath.Join(string(p), name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, module := range [][]string{{"esnext", "bundler"}, {"nodenext", "nodenext"}} {
			p.run(t, "npx", "tsc", "--strict", "--noEmit", "--target", "es2020", "--lib", "es2022,dom", "--types", "",
				"--module", module[0], "--moduleResolution", module[1],
				"types.ts", "types.mts", "types.cts", "react-types.ts", "global.ts")
		}
	})

	built := filepath.Join(string(p), "built")
	pages := map[string]string{
		"worker": `<script>new Worker("worker.js").onmessage = ({ data }) => { document.title = data; };</script>`,
	}
	for _, script := range []string{"esbuild-iife.js", "rollup-iife.js", "webpack.js"} {
		pages[script] = fmt.Sprintf(`<script src=%q></script>`, script)
	}
	for _, script := range []string{"esbuild-esm.js", "rollup-es.js", "vite/page.js", "vite5/page.js"} {
		pages[strings.ReplaceAll(script, "/", "-")] = fmt.Sprintf(`<script type="module" src=%q></script>`, script)
	}
	for name, script := range pages {
		writePage(t, built, name, script)
	}
	writePage(t, built, "react", `<script>console.error = (...words) => { document.title += words; };</script>
		<script src="react.js"></script>`)
	site := launchSite(t, launch.Options{Server: launch.Nginx, Root: built, Settings: shortPolls})
	browser := startBrowser(t)

	write(t, site, "bundled", `"it works"`)
	for name := range pages {
		t.Run("in the page of "+name, func(t *testing.T) {
			w := openWindow(t, browser, site.URL+"/"+name+".html")
			w.waitUntil(t, `document.title === "it works"`)
			w.wantEmptyConsole(t)
			w.close(t)
		})
	}
	t.Run("in React", func(t *testing.T) { testReact(t, site, openWindow(t, browser, site.URL+"/react.html")) })
}

func writePage(t *testing.T, dir, name, script string) {
	t.Helper()
	page := `<!DOCTYPE html><html lang="en"><link rel="icon" href="data:,"><body><div id="root"></div>` + script
	if err := os.WriteFile(filepath.Join(dir, name+".html"), []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
}

// testReact tests the hook in a development build, where StrictMode mounts each component twice.
func testReact(t *testing.T, site *launch.Site, w *window) {
	write(t, site, "one", "1")
	shows := func(id, text string) {
		t.Helper()
		w.waitUntil(t, fmt.Sprintf(`document.getElementById(%q)?.textContent === %q`, id, text))
	}
	shows("one", "1 true")
	shows("two", "undefined false")
	write(t, site, "two", "2")
	shows("two", "2 true")

	// Rendering again keeps the subscription and the state.
	evaluate[bool](t, w, `(window.before = renderings, render(before + 1), true)`)
	w.waitUntil(t, "renderings === before + 1")
	shows("one", "1 true")
	write(t, site, "one", "3")
	shows("one", "3 true")

	// Another id begins with its state. A component that is gone has no subscription.
	write(t, site, "three", "4")
	evaluate[bool](t, w, `show(["three"]), true`)
	shows("three", "4 true")
	if evaluate[bool](t, w, `document.getElementById("one") !== null`) {
		t.Error("the component is still there")
	}
	evaluate[bool](t, w, `show(["one"]), true`)
	shows("one", "3 true")
	evaluate[bool](t, w, `show([]), true`)
	w.waitUntil(t, `NovComet.last("one") === undefined`)
	if problems := evaluate[string](t, w, "document.title"); problems != "" {
		t.Errorf("React reports: %s", problems)
	}
}
