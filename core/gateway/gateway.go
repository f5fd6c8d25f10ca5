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
	endpoint *core.Endpoint
	config   conf.Config
	log      *slog.Logger
}

// New returns the gateway to the endpoint that the configuration describes.
func New(config conf.Config, store core.Store, log *slog.Logger) *Gateway {
	endpoint := core.NewEndpoint(store, settings(config))
	endpoint.MaxForm = int64(config.MaxRequest)
	endpoint.Log = log
	return &Gateway{endpoint, config, log}
}

// Files returns the store of the configuration.
func Files(config conf.Config) *core.Files {
	return &core.Files{Directory: config.File.Directory, Mode: config.File.Mode}
}

func settings(config conf.Config) core.Settings {
	return core.Settings{Tries: config.Tries, Sleep: config.Sleep}
}

// Drain is that of the endpoint: whoever waits is answered as soon as the rules of delivery allow.
func (g *Gateway) Drain() { g.endpoint.Drain() }

// Serve answers the request that the variables describe. It keeps and changes them. A panic ends with that request.
func (g *Gateway) Serve(ctx context.Context, w http.ResponseWriter, variables map[string]string, body io.Reader) {
	defer func() {
		if problem := recover(); problem != nil {
			g.log.Error("a request ended in a panic", "panic", problem, "stack", string(debug.Stack()))
			core.WriteError(w, http.StatusInternalServerError, "internal error; the log says more")
		}
	}()
	// What a location sets is looked at first: no request may get past a policy that could not be read.
	config, err := g.config.Locate(variables)
	if err != nil {
		g.log.Error("this location of the web server is not configured right", "error", err, "script", variables["SCRIPT_NAME"])
		core.WriteError(w, http.StatusInternalServerError, "this location is not configured right; the log says what is wrong")
		return
	}
	request, err := Request(variables, body)
	if err != nil {
		core.WriteError(w, http.StatusBadRequest, err.Error())
		return
	}
	ctx = core.WithSettings(ctx, settings(config))
	g.endpoint.ServeHTTP(w, request.WithContext(ctx))
}
