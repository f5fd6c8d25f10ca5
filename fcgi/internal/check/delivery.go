package check

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const freeConnections = "raise max_waiting and the limit of open files, or for comet.cgi cgi.max_waiting; " +
	"or try again when fewer browsers wait"

// settle is the time in which a poll reaches NovComet.
const settle = 300 * time.Millisecond

// startLongPoll starts a poll that waits until it ends unchanged. Only such a poll shows that no server in
// between has a shorter time-out.
func (c *checker) startLongPoll(ctx context.Context) {
	const margin, most = 10 * time.Second, 2 * time.Minute
	c.long, c.longWait = make(chan answer, 1), min(c.config.Wait()+margin, cmp.Or(c.options.Wait, most))
	query := pollQuery(c.id.String()+"-waits", "now") // The check does not publish this event.
	go func() { c.long <- c.client.send(ctx, c.longWait, http.MethodGet, query) }()
}

// checkConcurrency tests whether a poll is answered while the long poll waits.
func (c *checker) checkConcurrency(ctx context.Context) bool {
	c.topic = "delivery"
	const soon = 3 * time.Second // enough on a busy machine
	time.Sleep(settle)
	a := c.poll(ctx, "")
	blocked := a.took > soon && len(c.long) > 0
	if a.err != nil || !c.keepCursor(a) || blocked {
		c.problem("allow more workers or processes for this URL "+
			"(FcgidMaxProcessesPerClass, max-procs, MaxRequestWorkers, worker_connections), and remove locks around it",
			"while one poll waits, another is not answered: %v", a)
		return false
	}
	c.ok("while one poll waits, others are answered after %v", round(a.took))
	return true
}

// checkCache repeats the poll of checkConcurrency after the publication of checkPublish. It reports whether
// the publication is seen.
func (c *checker) checkCache(ctx context.Context) bool {
	c.topic = "cache"
	before := c.cursor
	a := c.poll(ctx, "")
	if a.err != nil || !c.keepCursor(a) {
		c.problem("read the web server's error log", "some requests fail: %v", a)
		return false
	}
	if c.cursor != before {
		c.ok("answers are fresh")
		return true
	}
	// A cache has no answer to a query that nobody has sent before.
	fresh := c.poll(ctx, fmt.Sprintf("&%d", time.Now().UnixNano()))
	if fresh.err != nil || !c.keepCursor(fresh) || c.cursor == before {
		c.topic = "delivery"
		c.problem("use --config with the settings file of the comet-fcgi behind the URL",
			"a publication is not seen through the URL")
		return false
	}
	c.problem("switch the cache off for this URL: proxy_cache, fastcgi_cache, CacheDisable, "+
		"or the rules of the content delivery network",
		"a poll gets the same answer after a publication: a cache keeps answers")
	return true
}

// checkWakeup measures how soon a waiting poll is answered after a publication.
func (c *checker) checkWakeup(ctx context.Context) {
	c.topic = "delivery"
	const late = time.Second
	timeout := 10*time.Second + c.config.Sleep // One sleep passes if the store does not notify.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan answer, 1)
	go func() { answers <- c.client.send(ctx, timeout, http.MethodGet, pollQuery(c.id.String(), c.cursor)) }()
	select {
	case a := <-answers:
		c.judgeEarly(a)
		return
	case <-time.After(settle):
	}
	begin := time.Now()
	if err := c.publish(ctx); err != nil {
		c.problem("read the log", "a publication failed: %v", err)
		return
	}
	a := <-answers
	took := time.Since(begin)
	storeNotifies := c.config.Store == "redis" || c.config.Store == "files" && c.config.File.Notify
	switch {
	case a.err != nil:
		c.problem("see inotify, store and cache above",
			"no poll is answered within %v after a publication: %s", timeout, a.err)
	case a.S == nil || *a.S != 1 || !c.keepCursor(a):
		c.problem("see directory and store above, "+
			"and use --config with the settings file of the comet-fcgi behind the URL",
			"a poll does not get the publication: %v", a)
	case took < late || !storeNotifies:
		c.ok("a poll is answered %v after a publication", round(took))
	default:
		c.warn("see inotify above, and run the check on the machine of comet-fcgi; "+
			"until then publications are noticed up to one sleep late",
			"a poll is answered only %v after a publication", round(took))
	}
}

// judgeEarly judges the answer to a poll that was to wait for a publication of the check.
func (c *checker) judgeEarly(a answer) {
	switch {
	case a.err != nil || a.S == nil || !c.keepCursor(a):
		c.problem("read the web server's error log", "a waiting poll fails: %v", a)
	case *a.S == 1:
		c.ok("not tested: another program publishes the event of the check")
	case c.config.Wait() <= settle:
		c.ok("not tested: polls wait only for %v (tries × sleep)", c.config.Wait())
	default:
		c.problem(freeConnections, "a poll is answered at once: max_waiting is reached: %v", a)
	}
}

// checkStream tests whether the parts of a stream arrive when they are sent.
func (c *checker) checkStream(ctx context.Context) {
	c.topic = "stream"
	const pass = "nginx: fastcgi_pass_header X-Accel-Buffering, and no fastcgi_ignore_headers or proxy_ignore_headers " +
		"for it; Apache: flushpackets=on; mod_fcgid: FcgidOutputBufferSize 0; and no gzip for text/event-stream"
	timeout := 5*time.Second + c.config.Sleep
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	first, event, err := c.readStream(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		c.problem(pass, "nothing arrives within %v: the web server or a proxy keeps it back (buffering)", timeout)
	case errors.Is(err, io.EOF):
		c.problem(freeConnections, "the stream ends at once")
	case err != nil:
		c.problem(pass, "the stream fails: %s", cause(err))
	default:
		c.ok("the first bytes arrive after %v, an event after %v", round(first), round(event))
	}
}

// readStream returns when the first bytes of a stream arrive, and then a publication.
func (c *checker) readStream(ctx context.Context) (first, event time.Duration, err error) {
	begin := time.Now()
	response, err := c.client.open(
		ctx, http.MethodGet, pollQuery(c.id.String(), c.cursor), "Accept", "text/event-stream")
	if err != nil {
		return 0, 0, err
	}
	defer response.Body.Close()
	contentType := response.Header.Get("Content-Type")
	if response.StatusCode != http.StatusOK || !strings.HasPrefix(contentType, "text/event-stream") {
		return 0, 0, fmt.Errorf("the answer is HTTP %d, %s, not a stream", response.StatusCode, contentType)
	}
	lines := bufio.NewScanner(response.Body)
	if err := skipTo(lines, ": NovComet"); err != nil {
		return 0, 0, err
	}
	first, begin = time.Since(begin), time.Now()
	if err := c.publish(ctx); err != nil {
		return 0, 0, fmt.Errorf("a publication failed: %w", err)
	}
	err = skipTo(lines, "event:")
	return first, time.Since(begin), err
}

// skipTo reads up to a line with this prefix. At the end of the stream it returns io.EOF.
func skipTo(lines *bufio.Scanner, prefix string) error {
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), prefix) {
			return nil
		}
	}
	return cmp.Or(lines.Err(), io.EOF)
}

// checkTimeout waits for the answer to the long poll, and judges it.
func (c *checker) checkTimeout() {
	c.topic = "time-out"
	const raise = "let the web server wait longer than tries × sleep: nginx fastcgi_read_timeout, " +
		"Apache Timeout and ProxyTimeout, mod_fcgid FcgidIOTimeout, and the time-outs of proxies in front"
	a, expected := <-c.long, c.config.Wait()
	took := round(a.took)
	switch {
	case a.err != nil && a.took < c.longWait:
		c.problem(raise, "a waiting poll is cut off after %v: %s", took, a.err)
	case a.err != nil:
		c.ok("a poll waits for %v at least; to test more, use a longer --wait", c.longWait)
	case a.status == http.StatusForbidden:
		c.ok("not tested: %s", a.Error)
	case a.S == nil:
		c.problem(raise, "a waiting poll gets %v; tries × sleep is %v", a, expected)
	case a.took < expected/10:
		c.problem(freeConnections, "a poll is answered after %v, not %v: max_waiting is reached", took, expected)
	default:
		c.ok("a poll waits, and is answered after %v", took)
	}
}
