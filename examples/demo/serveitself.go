package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"

	"novcomet/core"
	"novcomet/core/store/files"
	"novcomet/examples/internal/launch"
)

// serveItself serves the page and the endpoint from this process, with the settings of comet.php.
func serveItself(ctx context.Context, o options, stdout, stderr io.Writer) error {
	source, err := launch.Source(ctx)
	if err != nil {
		return err
	}
	store := &files.Store{Directory: o.directory}
	if err := store.Probe(); err != nil {
		return err
	}
	endpoint := core.NewEndpoint(store, core.Options{
		Location: core.Location{Tries: 20, Sleep: 2 * time.Second},
		Log:      slog.New(slog.NewTextHandler(stderr, nil)),
	})
	defer endpoint.Close()
	pages := http.NewServeMux()
	root := filepath.Join(source, "examples", "browser")
	pages.Handle("/", http.FileServer(http.Dir(root)))
	pages.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		text, err := os.ReadFile(filepath.Join(root, "index.html"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		page := strings.NewReader(launch.WithDirectory(string(text), o.directory))
		http.ServeContent(w, r, "index.html", time.Time{}, page)
	})
	pages.Handle("/comet.php", endpoint)

	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(o.port)))
	if err != nil {
		return errors.Wrap(err, "listening")
	}
	server := &http.Server{Handler: pages, BaseContext: func(net.Listener) context.Context { return ctx }}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	explain(stdout, o, running{
		url:      "http://" + listener.Addr().String(),
		mayWrite: func(path string) bool { return unix.Access(path, unix.W_OK) == nil },
	})
	select {
	case err = <-ended:
		return errors.Wrap(err, "serving")
	case <-ctx.Done():
	}
	// The end of the context has ended every request. Close closes the idle connections of browsers.
	err = server.Close()
	<-ended
	return errors.Wrap(err, "closing the server")
}
