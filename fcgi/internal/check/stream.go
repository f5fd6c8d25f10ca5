package check

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"time"
)

// stream looks at whether Server-Sent Events come when they are sent.
func (w *web) stream(ctx context.Context, delivers bool) {
	const check = "stream"
	const pass = "nginx: fastcgi_pass_header X-Accel-Buffering, and no fastcgi_ignore_headers or proxy_ignore_headers for it; Apache: flushpackets=on; mod_fcgid: FcgidOutputBufferSize 0; and no gzip for text/event-stream"
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := make(chan string, 100)
	ended := make(chan error, 1)
	begin := time.Now()
	go func() { ended <- w.listen(ctx, lines) }()

	// The first bytes come at once, and then the event that it has not seen so far.
	if !w.hears(lines, ended, ": NovComet", 5*time.Second, check, pass) {
		return
	}
	first := time.Since(begin)
	if !delivers {
		w.ok(check, "the first bytes arrive after %v", short(first))
		return
	}
	published, err := w.publish(ctx)
	if err != nil {
		return // It has been said.
	}
	if w.hears(lines, ended, "event:", w.longest(5*time.Second), check, pass) {
		w.ok(check, "the first bytes arrive after %v, an event after %v", short(first), short(time.Since(published)))
	}
}

// listen reads a stream line by line.
func (w *web) listen(ctx context.Context, lines chan<- string) error {
	cursor := w.cursor
	if cursor == "" {
		cursor = "now"
	}
	response, err := w.get(ctx, subscription(w.id.String(), cursor), "Accept", "text/event-stream")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if kind := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/event-stream") {
		return errNoStream{response.StatusCode, kind}
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

// errNoStream is about an answer that is something else.
type errNoStream struct {
	status int
	kind   string
}

func (e errNoStream) Error() string {
	return "the answer is " + http.StatusText(e.status) + ", " + e.kind + ", not a stream"
}

// hears waits for a line that begins so.
func (w *web) hears(lines <-chan string, ended <-chan error, wanted string, patience time.Duration, check, do string) bool {
	late := time.After(patience)
	for {
		select {
		case line := <-lines:
			if strings.HasPrefix(line, wanted) {
				return true
			}
		case err := <-ended:
			if err == nil {
				w.problem(check, "raise max_waiting, or try again when fewer browsers wait", "the stream ends at once")
			} else {
				w.problem(check, do, "the stream fails: %s", reason(err))
			}
			return false
		case <-late:
			w.problem(check, do, "nothing arrives within %v: the web server or a proxy keeps it back (buffering)", patience)
			return false
		}
	}
}
