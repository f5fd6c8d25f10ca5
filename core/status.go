package core

import (
	"net/http"
)

// statusHandler answers the requests of a status location. The web server decides who may see it, so it has
// no CORS headers.
func (e *Endpoint) statusHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const methods = "GET, HEAD"
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			unknownMethod(r.Method, methods).ServeHTTP(w, r)
		case e.status != nil:
			e.status.ServeHTTP(w, r)
		default:
			WriteJSON(w, e.metrics.Snapshot())
		}
	})
}
