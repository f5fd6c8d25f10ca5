package core

import (
	"errors"
	"net/http"
)

// publish publishes the event, with data where it is not nil.
func (e *Endpoint) publish(w http.ResponseWriter, r *http.Request, id ID, data []byte) {
	var err error
	if data == nil {
		_, err = e.store.Publish(r.Context(), id)
	} else if carrier, ok := e.store.(Carrier); ok {
		_, err = carrier.PublishData(r.Context(), id, data)
	} else {
		WriteError(w, http.StatusForbidden, "the events of this store carry no data")
		return
	}
	e.counts.publication(err)
	if err == nil {
		write(w, http.StatusOK, []byte("true"))
		return
	}
	if errors.Is(err, ErrNoEvent) {
		forbidden("publishing %q is not allowed: %s", id.name, ErrNoEvent).ServeHTTP(w, nil)
		return
	}
	e.log().Error("can't publish", "event", id.String(), "error", err)
	switch {
	case errors.Is(err, ErrUnavailable):
		write(w, http.StatusServiceUnavailable, []byte("false"))
	case errors.Is(err, ErrRefused) && data != nil:
		WriteError(w, http.StatusForbidden, err.Error())
	default:
		write(w, http.StatusOK, []byte("false")) // as comet.php said it
	}
}
