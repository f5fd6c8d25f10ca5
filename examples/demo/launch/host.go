package launch

import (
	golog "log"
	"net"
	"net/http"
	"net/http/cgi"
	"path/filepath"
	"sync"

	"github.com/pkg/errors"
)

// host is Go's own CGI host, a server that needs nothing installed.
type host struct {
	server *http.Server
	done   chan struct{}

	serving sync.RWMutex // read-locked by each request of the endpoint
	closed  bool         // no further one is begun
}

// hostCGI serves the pages, and comet.cgi at /comet.php, in this process. What Go's host does not do: it
// does not end a comet.cgi whose browser has left, so that waits its time out, and it passes
// none of this process's environment on but a PATH.
func hostCGI(s *Site, address string) (running, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, errors.Wrap(err, "listening")
	}
	program := filepath.Join(s.dir, canonical[cgiBin], "comet.cgi")
	messages := golog.New(s.log, "", 0)
	comet := &cgi.Handler{Path: program, Root: "/comet.php", Dir: filepath.Dir(program), Stderr: s.log.w, Logger: messages}
	h := &host{done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(s.options.Root)))
	mux.HandleFunc("/comet.php", func(w http.ResponseWriter, r *http.Request) {
		h.serving.RLock()
		defer h.serving.RUnlock()
		if !h.closed {
			comet.ServeHTTP(w, r)
		}
	})
	h.server = &http.Server{Handler: mux, ErrorLog: messages}
	go func() {
		defer close(h.done)
		h.server.Serve(listener)
	}()
	return h, nil
}

func (h *host) ended() <-chan struct{} { return h.done }

// end closes the port and returns when no request is left; somebody must end the programs for which they wait.
func (h *host) end() error {
	err := h.server.Close()
	<-h.done
	h.serving.Lock()
	defer h.serving.Unlock()
	h.closed = true
	return errors.Wrap(err, "closing the port")
}
