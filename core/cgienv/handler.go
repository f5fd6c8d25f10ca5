package cgienv

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"

	"novcomet/core"
)

// Handler answers requests that a web server describes by variables. All fields must be set.
type Handler struct {
	// Endpoint answers the requests that can be read.
	Endpoint *core.Endpoint
	// Location returns the settings of a request's location. An error is logged and answered with 500: no
	// request may get past settings that could not be read.
	Location func(variables map[string]string) (*core.Location, error)
	// Log gets a line for each request to a location whose settings are invalid, and for each panic.
	Log *slog.Logger
}

// Serve answers the request.
func (h *Handler) Serve(ctx context.Context, w http.ResponseWriter, variables map[string]string, body io.Reader) {
	request, problem := h.read(ctx, variables, body)
	if problem != nil {
		problem.ServeHTTP(w, nil)
		return
	}
	h.guard(h.Endpoint, request, variables).ServeHTTP(w, request)
}

// Open decides what becomes of the request. From the request that the returned Handler is called with, it
// takes only the body and the context.
func (h *Handler) Open(variables map[string]string, body io.Reader) (opened core.Opened) {
	defer func() {
		if problem := recover(); problem != nil {
			h.logPanic(problem)
			opened = core.Opened{Handler: h.Refuse(variables, http.StatusInternalServerError, internalError)}
		}
	}()
	request, problem := h.read(context.Background(), variables, body)
	if problem != nil {
		return core.Opened{Handler: problem}
	}
	opened = h.Endpoint.Open(request)
	if opened.Handler != nil {
		opened.Handler = h.guard(opened.Handler, request, variables)
	}
	return opened
}

// guard makes a panic end only its own request, with 500.
func (h *Handler) guard(handler http.Handler, request *http.Request, variables map[string]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if problem := recover(); problem != nil {
				h.logPanic(problem)
				h.Endpoint.Metrics().CountError(http.StatusInternalServerError)
				core.WriteError(w, http.StatusInternalServerError, internalError)
			}
		}()
		if r != request {
			request = request.WithContext(r.Context())
			setBody(request, variables, r.Body)
		}
		handler.ServeHTTP(w, request)
	})
}

const internalError = "internal error; the log says more"

func (h *Handler) logPanic(problem any) {
	h.Log.Error("a request ended in a panic", "panic", problem, "stack", string(debug.Stack()))
}

// read returns the request, or the answer to one that cannot be read.
func (h *Handler) read(ctx context.Context, variables map[string]string, body io.Reader) (*http.Request, http.Handler) {
	location, err := h.Location(variables)
	if err != nil {
		return nil, h.invalid(err, variables)
	}
	request, err := NewRequest(variables, body)
	if err != nil {
		return nil, h.Endpoint.Refuse(location, variables["HTTP_ORIGIN"], http.StatusBadRequest, err.Error())
	}
	return request.WithContext(core.WithLocation(ctx, location, ClientOf(variables))), nil
}

// invalid is the answer at a location whose settings are invalid. Its origins are unknown, so no other site
// may read the answer.
func (h *Handler) invalid(problem error, variables map[string]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.Log.Error("invalid settings of a location", "error", problem, "script", variables["SCRIPT_NAME"])
		const reason = "the settings of this location are invalid; the log says why"
		h.Endpoint.Refuse(&core.Location{}, "", http.StatusInternalServerError, reason).ServeHTTP(w, r)
	})
}

// Refuse returns the answer {"error": reason}, with the CORS headers of the location.
func (h *Handler) Refuse(variables map[string]string, status int, reason string) http.Handler {
	location, err := h.Location(variables)
	if err != nil {
		location = &core.Location{}
	}
	return h.Endpoint.Refuse(location, variables["HTTP_ORIGIN"], status, reason)
}
