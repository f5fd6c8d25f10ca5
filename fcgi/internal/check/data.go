package check

import (
	"bytes"
	"context"
	"net/http"
	"time"
)

// data looks at whether as much data as an event may carry gets through to NovComet. It is sent as the body of a poll, which
// NovComet does not read, so that nothing is published.
func (w *web) data(ctx context.Context) {
	const check = "data"
	const raise = "let it pass as much as data.max_bytes: nginx client_max_body_size, mod_fcgid FcgidMaxRequestLen, Apache LimitRequestBody, " +
		"lighttpd server.max-request-size, and the same of proxies before it"
	if !w.known {
		return
	}
	size := w.config.Data.MaxBytes
	a := w.post(ctx, size)
	switch {
	case a.isMap && a.S != nil:
		w.ok(check, "a body of %d bytes (data.max_bytes) gets through", size)
	case a.isMap && a.Error != "":
		w.warn(check, "is that another comet.yaml?", "HTTP %d: NovComet refuses a body of %d bytes, which data.max_bytes allows here: %s", a.status, size, a.Error)
	case w.post(ctx, 1).S == nil:
		w.ok(check, "POST does not get through, so that a body of data.max_bytes could not be tried")
	case a.err != nil:
		w.problem(check, raise, "a body of %d bytes, which data.max_bytes allows, is not answered: %s", size, reason(a.err))
	default:
		w.problem(check, raise, "HTTP %d: a body of %d bytes, which data.max_bytes allows, does not get through to NovComet", a.status, size)
	}
}

// post sends a poll that need not wait, with so many bytes as its body.
func (w *web) post(ctx context.Context, size int) answer {
	// With Expect, a web server that refuses the length says so before the body is sent.
	return w.send(ctx, time.Minute, http.MethodPost, now(w.id), bytes.Repeat([]byte("x"), size), "Content-Type", "application/octet-stream", "Expect", "100-continue")
}
