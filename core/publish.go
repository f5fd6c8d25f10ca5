package core

import (
	"errors"
	"net/http"

	"novcomet/core/event"
	"novcomet/core/store"
)

// publish publishes the event, with data if it is not nil.
func (e *Endpoint) publish(w http.ResponseWriter, r *http.Request, id event.ID, data []byte) {
	_, err := e.store.Publish(r.Context(), id, data)
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
	e.log.Error("can't publish", "event", id.String(), "error", err)
	switch {
	case errors.Is(err, store.ErrUnavailable):
		respond(w, http.StatusServiceUnavailable, []byte("false"))
	case errors.Is(err, store.ErrRefused) && data != nil:
		WriteError(w, http.StatusForbidden, err.Error())
	default:
		respond(w, http.StatusOK, []byte("false")) // comet.php's answer
	}
}
