package check

import (
	"context"
	"net/http"
	"time"
)

// long is a poll that waits until it ends unchanged, while other things are looked at: only that shows whether everybody between
// waits as long.
type long struct {
	expected, bound time.Duration // how long it should wait, and how long it is waited for
	ended           chan struct{} // closed when it has, with this answer:
	answer          answer
}

func (w *web) waitLong(ctx context.Context) *long {
	const margin, unknown = 10 * time.Second, 40 * time.Second
	l := &long{expected: unknown, ended: make(chan struct{})}
	if w.known {
		l.expected = w.config.Wait()
	}
	l.bound = min(l.expected+margin, LongestWait)
	if w.Wait > 0 {
		l.bound = min(w.Wait, l.bound)
	}
	go func() {
		defer close(l.ended)
		l.answer = w.ask(ctx, l.bound, subscription(w.id.String()+"-waits", "now"))
	}()
	return l
}

func (l *long) over() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// patience judges the long poll when it has ended.
func (w *web) patience(l *long) {
	const check = "time-out"
	const raise = "let the web server wait longer than tries × sleep: nginx fastcgi_read_timeout, Apache Timeout and ProxyTimeout, mod_fcgid FcgidIOTimeout, and the time-outs of proxies in front"
	<-l.ended
	a, expected, bound := l.answer, l.expected, l.bound
	took := short(a.took)
	switch {
	case a.err != nil && a.took < bound:
		w.problem(check, raise, "a waiting poll is cut off after %v: %s", took, reason(a.err))
	case a.err != nil && bound < expected:
		w.ok(check, "a poll waits for %v at least; to test more, use a longer --wait", bound)
	case a.err != nil:
		w.warn(check, "find out whether this location sets tries or sleep, or uses another comet.yaml", "a poll waits longer than %v; tries × sleep is %v here", bound, expected)
	case a.status == http.StatusForbidden:
		w.ok(check, "the time-out was not tested: %s", a.Error)
	case a.status >= http.StatusInternalServerError:
		w.problem(check, raise, "a waiting poll gets HTTP %d after %v; tries × sleep is %v", a.status, took, expected)
	case a.S == nil:
		w.problem(check, "read the web server's error log", "a waiting poll gets HTTP %d after %v: %.60s", a.status, took, a.body)
	case a.took < expected/10:
		w.problem(check, "raise max_waiting and the limit of open files, or try again when fewer browsers wait", "a poll is answered after %v, not %v: max_waiting is reached", took, expected)
	default:
		w.ok(check, "a poll waits, and is answered after %v", took)
	}
}
