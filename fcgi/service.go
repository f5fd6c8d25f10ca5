package main

import (
	"bytes"
	"errors"
	"net/http"

	"novcomet/core"
	"novcomet/fcgi/fastcgi"
	"novcomet/fcgi/reactor"
)

// A server is the [reactor.Service] of its reactor.
var _ reactor.Service = (*server)(nil)

// Open implements [reactor.Service].
func (s *server) Open(r *fastcgi.Request, mayBlock bool) reactor.Opened {
	if !mayBlock && !s.inForce.Load().locations.Knows(r.Variables) {
		return reactor.Opened{Blocks: true} // The location may name a file of secrets, which must be read.
	}
	return reactor.Opened{Opened: s.open(r)}
}

func (s *server) open(r *fastcgi.Request) core.Opened {
	refuse := func(status int) core.Opened {
		return core.Opened{Handler: s.handler.Refuse(r.Variables, status, r.Refused.Error())}
	}
	switch {
	case errors.Is(r.Refused, fastcgi.ErrParams):
		return refuse(http.StatusBadRequest)
	case errors.Is(r.Refused, reactor.ErrFull):
		return refuse(http.StatusServiceUnavailable)
	case r.Refused != nil:
		return refuse(http.StatusRequestEntityTooLarge)
	}
	if r.Variables["CONTENT_LENGTH"] == "-1" { // Caddy sends it for a chunked body.
		delete(r.Variables, "CONTENT_LENGTH")
	}
	return s.handler.Open(r.Variables, bytes.NewReader(r.Body))
}

// Limits implements [reactor.Service].
func (s *server) Limits() reactor.Limits { return s.inForce.Load().limits }
