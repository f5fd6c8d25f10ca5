package core

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// status answers with figures instead of polls. It is for a location of its own, which the web server keeps to those that may
// see it: so it is nothing that another site's page could be given.
func (e *Endpoint) status() http.Handler {
	answer := e.Status
	if answer == nil {
		answer = http.HandlerFunc(e.writeFigures)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const methods = "GET, HEAD"
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", methods)
			WriteError(w, http.StatusMethodNotAllowed, "method "+strconv.Quote(r.Method)+" is not one of "+methods)
			return
		}
		answer.ServeHTTP(w, r)
	})
}

func (e *Endpoint) writeFigures(w http.ResponseWriter, _ *http.Request) { WriteJSON(w, e.Figures()) }

// WriteJSON answers a request with a value, in the form that all answers of the URL have.
func WriteJSON(w http.ResponseWriter, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		WriteError(w, http.StatusInternalServerError, err.Error())
		return
	}
	write(w, http.StatusOK, body)
}
