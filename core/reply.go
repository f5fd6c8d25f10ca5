package core

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// WriteError answers a request with {"error": message}. What stands in front of an Endpoint uses it, so that every
// answer of the URL has the same form.
func WriteError(w http.ResponseWriter, status int, message string) {
	body, err := json.Marshal(map[string]string{"error": message})
	if err != nil {
		panic(fmt.Sprintf("a message that is no JSON: %v", err))
	}
	write(w, status, body)
}

// writeHead answers with the headers of an answer, whose body nobody asked for.
func writeHead(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, nil) }

func write(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if body != nil {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // If the client has left, nobody hears of it.
}
