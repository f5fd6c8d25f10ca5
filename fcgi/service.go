package main

import (
	"bytes"
	"errors"
	"net/http"

	"novcomet/core"
	"novcomet/core/cgienv"
	"novcomet/fcgi/fastcgi"
	"novcomet/fcgi/reactor"
)

// A server is the [reactor.Service] of its reactor.
var _ reactor.Service = (*server)(nil)

// Open implements [reactor.Service].
func (s *server) Open(r *fastcgi.Request, mayBlock bool) reactor.Opened {
	locations := s.inForce.Load().locations
	h := &cgienv.Handler{Endpoint: s.endpoint, Location: locations.Of, Log: s.log}
	if !mayBlock {
		known := locations.Known(r.Variables)
		if known == nil {
			return reactor.Opened{Blocks: true} // The location may name a file of secrets, which must be read.
		}
		h.Location = func(map[string]string) (*core.Location, error) { return known, nil }
	}
	return reactor.Opened{Opened: openOrRefuse(h, r)}
}

func openOrRefuse(h *cgienv.Handler, r *fastcgi.Request) core.Opened {
	refuse := func(status int) core.Opened {
		return core.Opened{Handler: h.Refuse(r.Variables, status, r.Refused.Error())}
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
	return h.Open(r.Variables, bytes.NewReader(r.Body))
}

// Limits implements [reactor.Service].
func (s *server) Limits() reactor.Limits { return s.inForce.Load().limits }
