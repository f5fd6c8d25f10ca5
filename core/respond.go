package core

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// WriteJSON answers a request with a value, in the form of all answers of the endpoint.
func WriteJSON(w http.ResponseWriter, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		WriteError(w, http.StatusInternalServerError, err.Error())
		return
	}
	respond(w, http.StatusOK, body)
}

// WriteError answers a request with {"error": message}. Code in front of an [Endpoint] uses it, so
// that every answer of the URL has the same form.
func WriteError(w http.ResponseWriter, status int, message string) {
	body, err := json.Marshal(map[string]string{"error": message})
	if err != nil {
		panic(fmt.Sprintf("a string cannot be JSON: %v", err))
	}
	respond(w, status, body)
}

func respond(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	setJSONHeader(h)
	if body != nil {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // An error means that the client has gone.
}

func setJSONHeader(h http.Header) {
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// refusal is an answer with an HTTP error.
type refusal struct {
	status int
	reason string
	header map[string]string
}

func (r *refusal) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	for name, value := range r.header {
		w.Header().Set(name, value)
	}
	WriteError(w, r.status, r.reason)
}

func forbidden(format string, values ...any) *refusal {
	return &refusal{status: http.StatusForbidden, reason: fmt.Sprintf(format, values...)}
}

func notAllowed(reason, allow string) *refusal {
	return &refusal{http.StatusMethodNotAllowed, reason, map[string]string{"Allow": allow}}
}

func unknownMethod(method, known string) *refusal {
	return notAllowed("method "+strconv.Quote(method)+" is not one of "+known, known)
}

// countErrors returns an answer that is counted if it turns out to be an HTTP error.
func (e *Endpoint) countErrors(answer http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer.ServeHTTP(&errorCounter{w, e, false}, r)
	})
}

type errorCounter struct {
	http.ResponseWriter
	endpoint *Endpoint
	failed   bool
}

func (c *errorCounter) WriteHeader(status int) {
	if c.failed = status >= http.StatusBadRequest; c.failed {
		c.endpoint.metrics.CountError(status)
	}
	c.ResponseWriter.WriteHeader(status)
}

// Write logs the text of an error. The request is not logged, because it may contain tokens.
func (c *errorCounter) Write(b []byte) (int, error) {
	if c.failed {
		c.endpoint.log.Debug("a request was refused", "answer", string(b))
	}
	return c.ResponseWriter.Write(b)
}

// Unwrap is called by http.ResponseController.
func (c *errorCounter) Unwrap() http.ResponseWriter { return c.ResponseWriter }
