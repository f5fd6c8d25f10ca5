package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/fcgi"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pkg/errors"
)

// plainSocket is the environment variable that makes this program the plain one: it names the socket.
const plainSocket = "NOVCOMET_BENCH_PLAIN"

// servePlain is comet.php written down for net/http/fcgi: each handler looks at its files every 2 seconds. It runs as a
// process of its own, so that its memory is, too.
func servePlain(socket string) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return errors.Wrap(err, "listening")
	}
	if err := os.Chmod(socket, 0o666); err != nil { // nginx may be another user.
		return errors.Wrap(err, "the socket's mode")
	}
	plain := &plain{directory: os.Getenv("COMET_FILE_DIRECTORY")}
	return errors.Wrap(fcgi.Serve(listener, plain), "serving")
}

type plain struct {
	directory string
	waiting   atomic.Int64
}

func (p *plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case query.Has("waiting"):
		json.NewEncoder(w).Encode(p.waiting.Load())
	case query.Has("publish"):
		now := time.Now()
		json.NewEncoder(w).Encode(os.Chtimes(p.file(query.Get("publish")), now, now) == nil)
	default:
		p.waiting.Add(1)
		defer p.waiting.Add(-1)
		json.NewEncoder(w).Encode(p.wait(query))
	}
}

func (p *plain) file(id string) string { return filepath.Join(p.directory, filepath.Base(id)+".comet") }

// wait is comet.php's loop, with precise cursors.
func (p *plain) wait(query url.Values) map[string]any {
	changed, at := map[string]json.RawMessage{}, map[string]string{}
	for range tries {
		for key := range query {
			id := strings.TrimSuffix(strings.TrimPrefix(key, "subscribed["), "]")
			file, err := os.Stat(p.file(id))
			if err != nil {
				continue
			}
			stamp := fmt.Sprintf("%d.%06d", file.ModTime().Unix(), file.ModTime().Nanosecond()/1000)
			switch seen := at[id]; {
			case seen == "" && query.Get(key) == "now":
				at[id] = stamp
			case seen == "" && query.Get(key) != stamp, seen != "" && seen != stamp:
				changed[id], at[id] = json.RawMessage(stamp), stamp
			}
		}
		if len(changed) > 0 {
			return map[string]any{"s": 1, "k": changed, "at": at}
		}
		time.Sleep(sleep)
	}
	return map[string]any{"s": 0, "at": at}
}
