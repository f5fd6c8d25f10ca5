package check

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// checkStream tests whether the parts of a stream arrive when they are sent.
func (c *checker) checkStream(ctx context.Context, delivers bool) {
	c.topic = "stream"
	const timeout = 5 * time.Second
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines, end := make(chan string, 100), make(chan error, 1)
	begin := time.Now()
	go func() { end <- c.readStream(ctx, lines) }()
	if !c.expectLine(lines, end, ": NovComet", timeout) {
		return
	}
	first := round(time.Since(begin))
	if !delivers {
		c.ok("the first bytes arrive after %v", first)
		return
	}
	published, err := c.publish(ctx)
	if err != nil {
		c.problem("read the log", "a publication failed: %v", err)
		return
	}
	if c.expectLine(lines, end, "event:", c.deliveryTimeout(timeout)) {
		c.ok("the first bytes arrive after %v, an event after %v", first, round(time.Since(published)))
	}
}

// readStream sends the lines of a stream to the channel until the stream or ctx ends.
func (c *checker) readStream(ctx context.Context, lines chan<- string) error {
	query := pollQuery(c.id.String(), c.cursor)
	response, err := c.client.open(ctx, http.MethodGet, query, nil, "Accept", "text/event-stream")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	contentType := response.Header.Get("Content-Type")
	if response.StatusCode != http.StatusOK || !strings.HasPrefix(contentType, "text/event-stream") {
		return fmt.Errorf("the answer is HTTP %d, %s, not a stream", response.StatusCode, contentType)
	}
	in := bufio.NewScanner(response.Body)
	for in.Scan() {
		select {
		case lines <- in.Text():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return in.Err()
}

// expectLine waits for a line with this prefix. It reports a problem if none arrives.
func (c *checker) expectLine(lines <-chan string, end <-chan error, prefix string, timeout time.Duration) bool {
	const pass = "nginx: fastcgi_pass_header X-Accel-Buffering, and no fastcgi_ignore_headers or proxy_ignore_headers " +
		"for it; Apache: flushpackets=on; mod_fcgid: FcgidOutputBufferSize 0; and no gzip for text/event-stream"
	late := time.After(timeout)
	for {
		select {
		case line := <-lines:
			if strings.HasPrefix(line, prefix) {
				return true
			}
		case err := <-end:
			if err == nil {
				c.problem(freeConnections, "the stream ends at once")
			} else {
				c.problem(pass, "the stream fails: %s", cause(err))
			}
			return false
		case <-late:
			c.problem(pass, "nothing arrives within %v: the web server or a proxy keeps it back (buffering)", timeout)
			return false
		}
	}
}
