package core

import (
	"context"
	"net/http"
)

// Poll is a request that may have to wait. Whoever serves many of them lets them wait without a goroutine each: Enter.
type Poll struct {
	endpoint *Endpoint
	query    Query
	settings Settings
	sharing  sharing
}

// Enter lets the poll wait and returns at once. done is called with what answers it, when it is time, and with about how many
// bytes that has; it must not block.
// leave gives the poll up, and reports whether that was in time: if so, done will not be called.
func (p *Poll) Enter(done func(answer http.Handler, size int)) (leave func() bool) {
	sharing := p.sharing
	return p.endpoint.loop.Enter(p.query, p.settings, func(a Answer) { done(sharing.on(a), a.size()) })
}

// wait blocks until it is time, or until ctx ends: nil.
func (p *Poll) wait(ctx context.Context) http.Handler {
	answered := make(chan http.Handler, 1)
	leave := p.Enter(func(h http.Handler, _ int) { answered <- h })
	select {
	case answer := <-answered:
		return answer
	case <-ctx.Done():
		leave()
		return nil
	}
}
