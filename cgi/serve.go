package main

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cgi"
	"os"
	"time"

	"github.com/pkg/errors"

	"novcomet/conf"
	"novcomet/conf/build"
	"novcomet/core"
	"novcomet/core/cgienv"
	"novcomet/core/store/files"
)

// handler returns the handler of this request.
func handler(environ []string, variables map[string]string, stdin io.Reader, log *slog.Logger) http.HandlerFunc {
	config, err := conf.Load(conf.Source{Environ: settingsEnviron(environ)})
	// If the settings are invalid, request_timeout may be unknown.
	body := bodyOf(variables, stdin, cmp.Or(config.RequestTimeout, 5*time.Second))
	var opened build.OpenedStore
	if err == nil {
		opened, err = build.Store(config, nil) // It is closed with the process.
	}
	if err != nil {
		log.Error("invalid settings", "error", err)
		return thenDrain(body, func(w http.ResponseWriter, _ *http.Request) {
			core.WriteError(w, http.StatusInternalServerError,
				"the settings of comet.cgi are invalid; the web server's error log says why")
		})
	}
	waiting := slots{directory: os.TempDir(), count: config.CGI.MaxWaiting}
	endpoint := core.NewEndpoint(opened, core.Options{
		Limits: build.Limits(config), Log: log,
		Status: http.HandlerFunc(status), BeforeWait: func() (bool, error) {
			// The probe finds out how exact the times of files are. Without it, polls are answered 10 ms later. Times
			// that are too coarse are an error. A missing directory is not: it may be created while the poll waits.
			if err := opened.Probe(); errors.Is(err, files.ErrCoarse) {
				return false, err
			}
			ok, err := waiting.take()
			if err != nil {
				log.Error("polls do not wait", "error", err)
			}
			return ok, nil
		},
	})
	h := &cgienv.Handler{Endpoint: endpoint, Location: build.NewLocations(config).Of, Log: log}
	return thenDrain(body, func(w http.ResponseWriter, _ *http.Request) {
		h.Serve(context.Background(), w, variables, body)
	})
}

// thenDrain returns a handler that sends the answer, and then reads the rest of the body.
func thenDrain(body io.Reader, answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer(w, r)
		_ = http.NewResponseController(w).Flush() // Otherwise, net/http/cgi sends the answer only at the end.
		cgienv.Drain(body)
	}
}

// serve lets net/http/cgi write the answer. cgi.Serve reads the environment, so the environment gets
// variables that it accepts. The handler has the request's own variables.
func serve(handler http.Handler, variables map[string]string) error {
	os.Clearenv()
	for name, value := range cgienv.Acceptable(variables) {
		os.Setenv(name, value)
	}
	return errors.Wrap(cgi.Serve(handler), "write the answer")
}
