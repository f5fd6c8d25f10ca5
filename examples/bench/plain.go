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

// plainSocket is the environment variable that makes this program the plain one, with its socket.
const plainSocket = "NOVCOMET_BENCH_PLAIN"

// servePlain is comet.php as a net/http/fcgi program: each request checks its files every 2 seconds. It is a
// process of its own, so that its memory and CPU time can be measured.
func servePlain(socket string) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return errors.Wrap(err, "listening")
	}
	if err := os.Chmod(socket, 0o666); err != nil { // nginx may run as another user.
		return errors.Wrap(err, "changing the mode of the socket")
	}
	return errors.Wrap(fcgi.Serve(listener, &plainProgram{directory: os.Getenv("COMET_FILE_DIRECTORY")}), "serving")
}

type plainProgram struct {
	directory string
	waiting   atomic.Int64
}

func (p *plainProgram) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case fcgi.ProcessEnv(r)["COMET_STATUS"] == "on":
		json.NewEncoder(w).Encode(map[string]int64{"waiting": p.waiting.Load()})
	case query.Has("publish"):
		now := time.Now()
		json.NewEncoder(w).Encode(os.Chtimes(p.file(query.Get("publish")), now, now) == nil)
	default:
		p.waiting.Add(1)
		defer p.waiting.Add(-1)
		json.NewEncoder(w).Encode(p.wait(query))
	}
}

func (p *plainProgram) file(id string) string {
	return filepath.Join(p.directory, filepath.Base(id)+".comet")
}

// wait is comet.php's loop, with precise cursors.
func (p *plainProgram) wait(query url.Values) map[string]any {
	for range tries {
		changed, at := map[string]json.RawMessage{}, map[string]string{}
		for key := range query {
			id := strings.TrimSuffix(strings.TrimPrefix(key, "subscribed["), "]")
			file, err := os.Stat(p.file(id))
			if err != nil {
				continue
			}
			stamp := fmt.Sprintf("%d.%06d", file.ModTime().Unix(), file.ModTime().Nanosecond()/1000)
			if at[id] = stamp; stamp != query.Get(key) {
				changed[id] = json.RawMessage(stamp)
			}
		}
		if len(changed) > 0 {
			return map[string]any{"s": 1, "k": changed, "at": at}
		}
		time.Sleep(sleep)
	}
	return map[string]any{"s": 0}
}
