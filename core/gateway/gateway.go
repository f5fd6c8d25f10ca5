// Package gateway is what the two programs share: it makes an endpoint of a configuration, and an http.Request of the
// variables in which a web server passes a request on, by CGI (RFC 3875) or by FastCGI.
package gateway

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"

	"novcomet/conf"
	"novcomet/core"
)

// Gateway answers requests that a web server passes on.
type Gateway struct {
	endpoint  *core.Endpoint
	locations *locations
	log       *slog.Logger
}

// New returns the gateway to the endpoint that the configuration describes.
func New(config conf.Config, store core.Store, log *slog.Logger) *Gateway {
	endpoint := core.NewEndpoint(store, core.Settings{}) // Each request has its own.
	endpoint.MaxForm = int64(config.MaxRequest)
	endpoint.MaxWaiting = config.MaxWaiting
	endpoint.MaxEvents = config.MaxEvents
	endpoint.MaxData = config.Data.MaxBytes
	endpoint.MaxAnswerData = config.Data.MaxAnswer()
	endpoint.Streams = core.StreamLimits{Max: config.MaxWaiting}
	endpoint.Log = log
	return &Gateway{endpoint, newLocations(config), log}
}

// Drain is that of the endpoint: whoever waits is answered as soon as the rules of delivery allow.
func (g *Gateway) Drain() { g.endpoint.Drain() }

// Retire ends the streams, with what each is sent next, for another gateway has taken over.
func (g *Gateway) Retire() { g.endpoint.Retire() }

// Close lets the endpoint end when nobody waits any more, and returns at once.
func (g *Gateway) Close() { g.endpoint.Close() }

// Ended is closed when, after Close, nobody waits and the store is not looked at any more.
func (g *Gateway) Ended() <-chan struct{} { return g.endpoint.Ended() }

// Waiting returns how many polls wait.
func (g *Gateway) Waiting() int { return g.endpoint.Waiting() }

// Figures are those of the endpoint.
func (g *Gateway) Figures() core.Figures { return g.endpoint.Figures() }

// Status sets what answers a location whose COMET_STATUS is on. It must be called before the first request.
func (g *Gateway) Status(answer http.Handler) { g.endpoint.Status = answer }

// BeforeWait sets what is called before a poll or a stream that Serve answers waits. It must be called before the first request.
func (g *Gateway) BeforeWait(check func() error) { g.endpoint.BeforeWait = check }

// Serve answers the request that the variables describe, which it changes.
func (g *Gateway) Serve(ctx context.Context, w http.ResponseWriter, variables map[string]string, body io.Reader) {
	request, problem := g.read(ctx, variables, body)
	if problem != nil {
		problem.ServeHTTP(w, nil)
		return
	}
	g.guarded(g.endpoint, request).ServeHTTP(w, nil)
}

// Open reads the request that the variables describe, which it changes, as far as it takes to know what becomes of it.
// Whatever request its answer is called with, it is this one that is answered.
func (g *Gateway) Open(ctx context.Context, variables map[string]string, body io.Reader) (opened core.Opened) {
	defer func() {
		if problem := recover(); problem != nil {
			g.report(problem)
			opened = core.Opened{Answer: g.Refuse(variables, http.StatusInternalServerError, apology)}
		}
	}()
	request, problem := g.read(ctx, variables, body)
	if problem != nil {
		return core.Opened{Answer: problem}
	}
	opened = g.endpoint.Open(request)
	if opened.Answer != nil {
		opened.Answer = g.guarded(opened.Answer, request)
	}
	return opened
}

// read makes the request, or what answers it where it can't be one.
func (g *Gateway) read(ctx context.Context, variables map[string]string, body io.Reader) (*http.Request, http.Handler) {
	// What a location sets is looked at first: no request may get past a policy that could not be read.
	settings, err := g.locations.of(variables)
	if err != nil {
		g.log.Error("invalid settings of a location", "error", err, "script", variables["SCRIPT_NAME"])
		return nil, g.endpoint.Counted(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			core.WriteError(w, http.StatusInternalServerError, "the settings of this location are invalid; the log says why")
		}))
	}
	settings.User, settings.Port = user(variables), variables["SERVER_PORT"]
	request, err := Request(variables, body)
	if err != nil {
		return nil, g.Refuse(variables, http.StatusBadRequest, err.Error())
	}
	return request.WithContext(core.WithSettings(ctx, settings)), nil
}

// Refuse returns the answer to a request that can't be read as a whole: {"error": reason}, for the pages of other sites
// too that the location lists.
func (g *Gateway) Refuse(variables map[string]string, status int, reason string) http.Handler {
	request := &http.Request{Header: http.Header{}}
	request.Header.Set("Origin", variables["HTTP_ORIGIN"])
	settings, err := g.locations.of(variables)
	if err != nil { // Then nobody is listed, as far as is known.
		settings = core.Settings{}
	}
	return g.endpoint.Refuse(request.WithContext(core.WithSettings(context.Background(), settings)), status, reason)
}

// guarded answers the request with the handler. A panic ends with that request.
func (g *Gateway) guarded(handler http.Handler, request *http.Request) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		defer func() {
			if problem := recover(); problem != nil {
				g.report(problem)
				core.WriteError(w, http.StatusInternalServerError, apology)
			}
		}()
		handler.ServeHTTP(w, request)
	})
}

const apology = "internal error; the log says more"

func (g *Gateway) report(problem any) {
	g.log.Error("a request ended in a panic", "panic", problem, "stack", string(debug.Stack()))
}
