package check

import (
	"context"
	"net/http"
	"time"
)

// waitLong lets a poll wait until it ends unchanged, while other things are looked at: only that shows whether everybody between
// waits as long. What it returns waits for that and judges it.
func (w *web) waitLong(ctx context.Context) (judge func()) {
	const margin = 10 * time.Second
	expected := 40 * time.Second
	if w.known {
		expected = w.config.Wait()
	}
	bound := min(expected+margin, LongestWait)
	if w.Wait > 0 {
		bound = min(w.Wait, bound)
	}
	poll := make(chan answer, 1)
	go func() { poll <- w.ask(ctx, bound, subscription(w.id.String()+"-waits", "now")) }()
	return func() { w.patience(<-poll, expected, bound) }
}

func (w *web) patience(a answer, expected, bound time.Duration) {
	const check = "time-out"
	const raise = "let it wait longer than tries × sleep: nginx fastcgi_read_timeout, Apache Timeout and ProxyTimeout, mod_fcgid FcgidIOTimeout, and the same of proxies before it"
	took := short(a.took)
	switch {
	case a.err != nil && a.took < bound:
		w.problem(check, raise, "a poll that waits is cut off after %v: %s", took, reason(a.err))
	case a.err != nil && bound < expected:
		w.ok(check, "a poll waits for %v at least; how long it is let, is only seen with a longer --wait", bound)
	case a.err != nil:
		w.warn(check, "does this location set tries or sleep, or is that another comet.yaml?", "a poll waits for longer than %v; by tries × sleep here it should be %v", bound, expected)
	case a.status == http.StatusForbidden:
		w.ok(check, "it could not be tried: %s", a.Error)
	case a.status >= http.StatusInternalServerError:
		w.problem(check, raise, "a poll that waits gets HTTP %d after %v: by tries × sleep it would wait for %v", a.status, took, expected)
	case a.S == nil:
		w.problem(check, "the web server's error log says more", "a poll that waits gets HTTP %d after %v: %.60s", a.status, took, a.body)
	case a.took < expected/10:
		w.problem(check, "raise max_waiting and the limit of open files, or wait until fewer browsers do", "a poll is answered after %v and not %v: as many wait as may", took, expected)
	default:
		w.ok(check, "a poll waits, and is answered after %v", took)
	}
}
