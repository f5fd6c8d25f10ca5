package e2e_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"novcomet/examples/internal/launch"
)

// violations is a script that returns what axe-core finds against WCAG 2.2 AA, one line for each rule.
const violations = `axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }).
	then(({ violations }) => violations.map(({ id, help, nodes }) =>
		id + ": " + help + nodes.map(({ html, failureSummary }) => "\n\t" + html + " " + failureSummary)).join("\n"))`

// tooSmall is a script that returns the controls that a finger may miss. Links in sentences may be smaller.
const tooSmall = `[...document.querySelectorAll("button, input, select, summary")].filter((control) => {
	const { width, height } = control.getBoundingClientRect();
	return Math.min(width, height) < 44;
}).map((control) => control.outerHTML).join("\n")`

func TestPage_IsAccessible(t *testing.T) {
	axe, err := os.ReadFile(npmFile(t, "axe-core/axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	site := startSite(t, launch.Nginx)
	shell(t, site, "echo earlier > chat.comet")
	w := openWindow(t, startBrowser(t), site.URL)
	w.waitFor(t, connected)
	w.do(t, chromedp.Evaluate[chromedp.Void](string(axe)))
	check := func(t *testing.T) {
		for _, width := range []int64{1280, 390} {
			for _, theme := range []string{"light", "dark"} {
				w.emulate(t, width, theme)
				for what, script := range map[string]string{
					"axe-core finds": violations, "these controls are smaller than 44 px": tooSmall,
				} {
					if found := evaluate[string](t, w, script); found != "" {
						t.Errorf("%d px, %s: %s\n%s", width, theme, what, found)
					}
				}
				if !evaluate[bool](t, w, "document.documentElement.scrollWidth <= innerWidth") {
					t.Errorf("%d px, %s: the page is wider than the window", width, theme)
				}
			}
		}
	}

	w.waitFor(t, `#log [data-kind="earlier"]`)
	w.do(t, chromedp.Click(publishButton("news")))
	w.waitFor(t, `#log [data-kind="own"]`)
	w.do(t, chromedp.SendKeys(chromedp.CSS("#name"), strings.Repeat("x", 200)+kb.Enter))
	w.do(t, chromedp.Click(chromedp.CSS("summary")))
	w.waitUntil(t, `document.querySelector("[data-event^=xxx] .last").textContent === "never published"`)
	for i := range 4 {
		data := fmt.Sprintf("%d%s%s", i, strings.Repeat("x", 2000), strings.Repeat(" words", 500))
		before := stampOf(t, site, "news")
		write(t, site, "news", data)
		w.waitForPublication(t, site, "news", before)
	}
	t.Run("while connected", check)
	t.Run("the log scrolls, also by keys", func(t *testing.T) {
		w.do(t, chromedp.Focus(chromedp.CSS(".log")), chromedp.KeyEvent(kb.End))
		w.waitUntil(t, `(() => {
			const log = document.querySelector(".log").getBoundingClientRect();
			return document.querySelector("#log li:last-child").getBoundingClientRect().bottom <= log.bottom + 1;
		})()`)
	})

	stopDaemon(t, site)
	w.waitFor(t, `body[data-state="lost"]`)
	w.do(t, chromedp.SendKeys(valueField("chat"), strings.Repeat("x", 500)+kb.Enter))
	w.waitUntil(t, `document.querySelector("[data-event=chat] .problem").textContent !== ""`)
	t.Run("without a connection", check)
}

// emulate sets the width and the colour scheme of the window, and ends its animations.
func (w *window) emulate(t *testing.T, width int64, theme string) {
	t.Helper()
	w.do(t, chromedp.EmulateViewport(width, 844), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}}
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, media)
		return err
	}))
}
