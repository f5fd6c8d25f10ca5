package core

import (
	"context"
	"errors"
	"net/http"

	"novcomet/core/access"
	"novcomet/core/event"
	"novcomet/core/store"
)

// publishAuthorized reads the data in the body, and publishes the event if the client may.
func (e *Endpoint) publishAuthorized(
	w http.ResponseWriter, r *http.Request, id event.ID, rules *access.Rules, c Client,
) {
	data, err := e.readData(r)
	if err != nil {
		refused := &refusal{status: statusOf(err), reason: err.Error()}
		refused.ServeHTTP(w, r)
		return
	}
	if refused := e.authorizePublication(r, id, rules, c); refused != nil {
		refused.ServeHTTP(w, r)
		return
	}
	if r.Method == http.MethodHead { // HEAD publishes nothing.
		headOK(w, r)
		return
	}
	e.publish(w, r, id, data)
}

// publish publishes the event, with data if it is not nil.
func (e *Endpoint) publish(w http.ResponseWriter, r *http.Request, id event.ID, data []byte) {
	// A client that has left, such as a page that publishes while it unloads, still publishes.
	_, err := e.store.Publish(context.WithoutCancel(r.Context()), id, data)
	if store.IsUnsupported(err) {
		reason := "the events of this store cannot be published"
		if data != nil {
			reason += " with data"
		}
		WriteError(w, http.StatusForbidden, reason)
		return
	}
	if err == nil {
		e.metrics.Publications.Add(1)
		respond(w, http.StatusOK, []byte("true"))
		return
	}
	e.metrics.PublishFailures.Add(1)
	if errors.Is(err, store.ErrNoEvent) {
		forbidden("publishing %q is not allowed: %s", id.String(), store.ErrNoEvent).ServeHTTP(w, nil)
		return
	}
	e.log.Error("cannot publish", "event", id.String(), "error", err)
	switch {
	case errors.Is(err, store.ErrUnavailable):
		respond(w, http.StatusServiceUnavailable, []byte("false"))
	case errors.Is(err, store.ErrRefused) && data != nil:
		WriteError(w, http.StatusForbidden, err.Error())
	default:
		respond(w, http.StatusOK, []byte("false")) // comet.php's answer
	}
}
