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
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"novcomet/examples/internal/launch"
)

// patience bounds the wait for what must show up; a test goes on as soon as it does.
const patience = 30 * time.Second

// startBrowser starts a headless Chromium with a new profile, for as long as the test runs.
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
		// A tab in the background is to be as slow as it is for a user.
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

// window is a browser window and what its console says.
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
	if err := chromedp.Do(ctx); err != nil { // not by w.do: the window would end with that one's time limit
		t.Fatalf("opening a window: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			w.keepPicture(t)
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

// evaluate runs the script in the window's page; of a promise it returns what becomes of it.
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
	deadline := time.Now().Add(patience)
	for again := time.Tick(20 * time.Millisecond); time.Now().Before(deadline); <-again {
		if evaluate[bool](t, w, script) {
			return
		}
	}
	t.Fatalf("it does not become true in time: %s", script)
}

func (w *window) waitFor(t *testing.T, selector string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.WaitReady(chromedp.CSS(selector))); err != nil {
		t.Fatalf("waiting for %s: %v", selector, err)
	}
}

// waitForPublication waits until the event's stamp differs from the one before, and the window shows it.
// A new file has two stamps in quick succession, so the file is looked at again each time.
func (w *window) waitForPublication(t *testing.T, site *launch.Site, id, before string) string {
	t.Helper()
	deadline := time.Now().Add(patience)
	for again := time.Tick(10 * time.Millisecond); time.Now().Before(deadline); <-again {
		stamp := stampOf(t, site, id)
		if stamp != before && evaluate[bool](t, w, fmt.Sprintf("document.querySelector(%q) !== null", shown(id, stamp))) {
			return stamp
		}
	}
	t.Fatalf("the window does not show that %s was published: stamp before %q, now %q", id, before, stampOf(t, site, id))
	return ""
}

func (w *window) bringToFront(t *testing.T) {
	t.Helper()
	w.do(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, page.BringToFront, cdp.Empty{})
		return err
	}))
}

func (w *window) listen(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		w.console = append(w.console, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		w.console = append(w.console, fmt.Sprintf("console.%s: %+v", e.Type, e.Args))
	case *log.EventEntryAdded:
		w.console = append(w.console, fmt.Sprintf("%s %s: %s: %s", e.Entry.Source, e.Entry.Level, e.Entry.URL, e.Entry.Text))
	}
}

// wantNoComplaints fails for whatever the console says, but for failed requests to the given addresses.
func (w *window) wantNoComplaints(t *testing.T, failing ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.console {
		expected := slices.ContainsFunc(failing, func(url string) bool { return strings.HasPrefix(line, "network error: "+url) })
		if !expected {
			t.Errorf("the browser complains: %s", line)
		}
	}
}

func (w *window) keepPicture(t *testing.T) {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Logf("no picture of the window: %v", err)
		return
	}
	file, err := os.CreateTemp("", "novcomet-window-*.png")
	if err != nil {
		t.Logf("no picture of the window: %v", err)
		return
	}
	_, err = file.Write(picture)
	t.Logf("the window as it looked: %s (%v)", file.Name(), errors.Join(err, file.Close()))
}
