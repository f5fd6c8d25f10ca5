package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"novcomet/examples/internal/launch"
)

// startBrowser starts a headless Chromium with a new profile. It ends with the test.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is not installed; on Debian: apt install chromium")
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.Flag("headless", "new"),
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP intranet.test 127.0.0.1"),
		// A tab in the background is as slow as it is for a user.
		chromedp.Flag("disable-background-timer-throttling", false),
		chromedp.Flag("disable-renderer-backgrounding", false),
	)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	return ctx
}

// window is a browser window, and the lines of its console.
type window struct {
	ctx     context.Context
	mu      sync.Mutex
	console []string
}

// openWindow opens a window with the page at url.
func openWindow(t *testing.T, browser context.Context, url string, options ...chromedp.ContextOption) *window {
	t.Helper()
	w := &window{}
	ctx, cancel := chromedp.NewContext(browser, append(options, chromedp.WithListener(w.listen))...)
	t.Cleanup(cancel)
	w.ctx = ctx
	if err := chromedp.Do(ctx); err != nil { // w.do would close the window at the end of its time limit.
		t.Fatalf("opening a window: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			w.saveScreenshot(t)
		}
	})
	w.do(t, chromedp.Navigate(url))
	return w
}

func (w *window) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func (w *window) close(t *testing.T) {
	t.Helper()
	if err := chromedp.Cancel(w.ctx); err != nil {
		t.Fatal(err)
	}
}

// evaluate runs a script in the window's page and returns its value. It awaits a promise.
func evaluate[T any](t *testing.T, w *window, script string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	result, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return result
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
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.WaitReady(chromedp.CSS(selector))); err != nil {
		t.Fatalf("waiting for %s: %v", selector, err)
	}
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

func (w *window) bringToFront(t *testing.T) {
	t.Helper()
	w.do(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, page.BringToFront, cdp.Empty{})
		return err
	}))
}

// listen adds an event of the browser to the console.
func (w *window) listen(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		w.console = append(w.console, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		w.console = append(w.console, fmt.Sprintf("console.%s: %+v", e.Type, e.Args))
	case *log.EventEntryAdded:
		line := fmt.Sprintf("%s %s: %s: %s", e.Entry.Source, e.Entry.Level, e.Entry.URL, e.Entry.Text)
		w.console = append(w.console, line)
	}
}

// wantEmptyConsole fails for each line of the console, except for failed requests to the URLs.
func (w *window) wantEmptyConsole(t *testing.T, failing ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.console {
		expected := func(url string) bool { return strings.HasPrefix(line, "network error: "+url) }
		if !slices.ContainsFunc(failing, expected) {
			t.Errorf("the console has the line: %s", line)
		}
	}
}

func (w *window) saveScreenshot(t *testing.T) {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	screenshot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
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

// runFirst makes the window run a script before any other script of each page.
func (w *window) runFirst(t *testing.T, script string) {
	t.Helper()
	w.do(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		parameters := page.AddScriptToEvaluateOnNewDocumentParams{Source: script}
		_, err := cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument, parameters)
		return err
	}))
}
