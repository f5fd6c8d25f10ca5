package check

import (
	"context"
	"net/http"
	"time"
)

// longPoll is a poll that waits until it ends unchanged. Only such a poll shows that no server in between
// has a shorter time-out.
type longPoll struct {
	expected, timeout time.Duration // how long it should wait, and how long the check waits for it
	answer            chan answer   // gets one answer at the end
}

func (c *checker) startLongPoll(ctx context.Context) *longPoll {
	const margin = 10 * time.Second
	l := &longPoll{expected: c.config.Wait(), answer: make(chan answer, 1)}
	most := maxWait
	if c.options.Wait > 0 {
		most = c.options.Wait
	}
	l.timeout = min(l.expected+margin, most)
	go func() {
		l.answer <- c.client.get(ctx, l.timeout, pollQuery(c.id.String()+"-waits", "now"))
	}()
	return l
}

// checkTimeout waits for the end of the long poll, and judges it.
func (c *checker) checkTimeout(l *longPoll) {
	c.topic = "time-out"
	const raise = "let the web server wait longer than tries × sleep: nginx fastcgi_read_timeout, " +
		"Apache Timeout and ProxyTimeout, mod_fcgid FcgidIOTimeout, and the time-outs of proxies in front"
	a := <-l.answer
	took := round(a.took)
	switch {
	case a.err != nil && a.took < l.timeout:
		c.problem(raise, "a waiting poll is cut off after %v: %s", took, a.err)
	case a.err != nil && l.timeout < l.expected:
		c.ok("a poll waits for %v at least; to test more, use a longer --wait", l.timeout)
	case a.err != nil:
		c.warn("find out whether this location sets tries or sleep, or uses another comet.yaml",
			"a poll waits longer than %v; tries × sleep is %v here", l.timeout, l.expected)
	case a.status == http.StatusForbidden:
		c.ok("not tested: %s", a.Error)
	case a.status >= http.StatusInternalServerError:
		c.problem(raise, "a waiting poll gets HTTP %d after %v; tries × sleep is %v", a.status, took, l.expected)
	case a.S == nil:
		c.problem("read the web server's error log", "a waiting poll gets %v", a)
	case a.took < l.expected/10:
		c.problem(freeConnections, "a poll is answered after %v, not %v: max_waiting is reached", took, l.expected)
	default:
		c.ok("a poll waits, and is answered after %v", took)
	}
}
