package e2e_test

import (
	"context"
	"fmt"
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
)

// startBrowser starts a headless Chromium with a new profile. It ends with the test.
func startBrowser(t *testing.T) browser {
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
	return &chromiumBrowser{ctx}
}

type chromiumBrowser struct{ ctx context.Context }

func (b *chromiumBrowser) open(t *testing.T, private bool) pageDriver {
	t.Helper()
	if private {
		return openChromium(t, b.ctx, chromedp.WithNewBrowserContext())
	}
	return openChromium(t, b.ctx)
}

// chromiumPage is a page of Chromium, and the lines of its console.
type chromiumPage struct {
	ctx     context.Context
	mu      sync.Mutex
	console []string
}

func openChromium(t *testing.T, parent context.Context, options ...chromedp.ContextOption) pageDriver {
	t.Helper()
	p := &chromiumPage{}
	ctx, cancel := chromedp.NewContext(parent, append(options, chromedp.WithListener(p.listen))...)
	t.Cleanup(cancel)
	p.ctx = ctx
	if err := chromedp.Do(ctx); err != nil { // p.do would close the page at the end of its time limit.
		t.Fatalf("opening a page: %v", err)
	}
	return p
}

func (p *chromiumPage) tab(t *testing.T) pageDriver {
	t.Helper()
	return openChromium(t, p.ctx, chromedp.WithNewWindow(false))
}

func (p *chromiumPage) do(steps ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Do(ctx, steps...)
}

func (p *chromiumPage) navigate(url string) error { return p.do(chromedp.Navigate(url)) }

func (p *chromiumPage) evaluate(script string) (string, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
}

func (p *chromiumPage) runFirst(script string) error {
	return p.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		parameters := page.AddScriptToEvaluateOnNewDocumentParams{Source: script}
		_, err := cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument, parameters)
		return err
	}))
}

func (p *chromiumPage) screenshot() ([]byte, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.FullScreenshot(100))
}

func (p *chromiumPage) close() error { return chromedp.Cancel(p.ctx) }

// listen adds an event of the browser to the console.
func (p *chromiumPage) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.console = append(p.console, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		p.console = append(p.console, fmt.Sprintf("console.%s: %+v", e.Type, e.Args))
	case *log.EventEntryAdded:
		line := fmt.Sprintf("%s %s: %s: %s", e.Entry.Source, e.Entry.Level, e.Entry.URL, e.Entry.Text)
		p.console = append(p.console, line)
	}
}

// chromium returns the page of a window of Chromium.
func (w *window) chromium(t *testing.T) *chromiumPage {
	t.Helper()
	p, ok := w.pageDriver.(*chromiumPage)
	if !ok {
		t.Fatalf("only Chromium can do this, not a %T", w.pageDriver)
	}
	return p
}

func (w *window) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := w.chromium(t).do(steps...); err != nil {
		t.Fatal(err)
	}
}

func (w *window) bringToFront(t *testing.T) {
	t.Helper()
	w.do(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, page.BringToFront, cdp.Empty{})
		return err
	}))
}

// wantEmptyConsole fails for each line of the console, except for failed requests to the URLs.
func (w *window) wantEmptyConsole(t *testing.T, failing ...string) {
	t.Helper()
	p := w.chromium(t)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.console {
		expected := func(url string) bool { return strings.HasPrefix(line, "network error: "+url) }
		if !slices.ContainsFunc(failing, expected) {
			t.Errorf("the console has the line: %s", line)
		}
	}
}
