package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"

	"novcomet/examples/internal/launch"
)

// window is a page that a test uses.
type window struct{ pageDriver }

// openWindow opens a window with the page at url. It closes with the test.
func openWindow(t *testing.T, b browser, url string) *window {
	t.Helper()
	return show(t, b.open(t, false), url)
}

// openPrivate is like openWindow, but the page and its tabs have a profile of their own.
func openPrivate(t *testing.T, b browser, url string) *window {
	t.Helper()
	return show(t, b.open(t, true), url)
}

// openTab opens a tab in front of the window's page. It has the same profile.
func (w *window) openTab(t *testing.T, url string) *window {
	t.Helper()
	return show(t, w.tab(t), url)
}

func show(t *testing.T, p pageDriver, url string) *window {
	t.Helper()
	w := &window{p}
	t.Cleanup(func() {
		if t.Failed() {
			w.saveScreenshot(t)
		}
		p.close() // The test may have closed it.
	})
	w.navigate(t, url)
	return w
}

// navigate goes to the page at url, and waits until it is loaded.
func (w *window) navigate(t *testing.T, url string) {
	t.Helper()
	if err := w.pageDriver.navigate(url); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
}

// runFirst makes the window run a script before any other script of each page. WebKit cannot do it.
func (w *window) runFirst(t *testing.T, script string) {
	t.Helper()
	if err := w.pageDriver.runFirst(script); err != nil {
		t.Fatal(err)
	}
}

func (w *window) close(t *testing.T) {
	t.Helper()
	if err := w.pageDriver.close(); err != nil {
		t.Fatal(err)
	}
}

// evaluate runs a script, which is an expression, in the window's page and returns its value. It awaits a
// promise.
func evaluate[T any](t *testing.T, w *window, script string) T {
	t.Helper()
	text, err := w.pageDriver.evaluate("(async () => JSON.stringify({ Value: await (" + script + ") }))()")
	var result struct{ Value *T }
	if err == nil {
		err = json.Unmarshal([]byte(text), &result)
	}
	if err == nil && result.Value == nil {
		err = errors.New("the value is null or undefined")
	}
	if err != nil {
		t.Fatalf("%.1000s: %v", script, err)
	}
	return *result.Value
}

// waitUntil waits until the script is true in the window's page.
func (w *window) waitUntil(t *testing.T, script string) {
	t.Helper()
	eventually(t, func() error {
		if !evaluate[bool](t, w, script) {
			return fmt.Errorf("this script is not true: %s", script)
		}
		return nil
	})
}

// waitFor waits until the page has an element that the selector matches.
func (w *window) waitFor(t *testing.T, selector string) {
	t.Helper()
	w.waitUntil(t, fmt.Sprintf("document.querySelector(%q) !== null", selector))
}

// waitForPublication waits until the event's stamp differs from an earlier one and the window shows it. It
// returns the stamp. A new file may get two stamps in quick succession, so each attempt reads the stamp of
// the file.
func (w *window) waitForPublication(t *testing.T, site *launch.Site, id, before string) (stamp string) {
	t.Helper()
	eventually(t, func() error {
		stamp = stampOf(t, site, id)
		script := fmt.Sprintf("document.querySelector(%q) !== null", logLine(id, stamp))
		if stamp == before || !evaluate[bool](t, w, script) {
			return fmt.Errorf("the window does not show %s with the stamp %q; before it was %q", id, stamp, before)
		}
		return nil
	})
	return stamp
}

func (w *window) saveScreenshot(t *testing.T) {
	screenshot, err := w.screenshot()
	if err != nil {
		t.Logf("no screenshot: %v", err)
		return
	}
	file, err := os.CreateTemp("", "novcomet-window-*.png")
	if err != nil {
		t.Logf("no screenshot: %v", err)
		return
	}
	_, err = file.Write(screenshot)
	t.Logf("screenshot: %s (%v)", file.Name(), errors.Join(err, file.Close()))
}
