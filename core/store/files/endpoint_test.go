package files_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/servertest"
	"novcomet/core/store"
	"novcomet/core/store/files"
)

// foreignFiles are files whose data another user reads.
type foreignFiles struct {
	*files.Store
	t *testing.T
}

func (f *foreignFiles) Data(ctx context.Context, ids []event.ID, limit int) (data []store.Content, err error) {
	const other = 65534
	asUser(f.t, other, func() { data, err = f.Store.Data(ctx, ids, limit) })
	return data, err
}

// A file that mktemp has made has mode 0600. The event is delivered, and the administrator learns why its
// data is missing.
func TestEndpoint_LogsOncePerPublicationThatDataIsUnreadable(t *testing.T) {
	needRoot(t)
	directory := newDirectory(t, "/dev/shm", 0o755)
	path := filepath.Join(directory, "a.comet")
	publish := func(at time.Time) { must(t, os.WriteFile(path, []byte("x"), 0o600), os.Chtimes(path, at, at)) }
	log, lines := coretest.RecordLog()
	foreign := &foreignFiles{&files.Store{Directory: directory}, t}
	endpoint := core.NewEndpoint(foreign, core.Options{Location: core.Location{Tries: 1}, Log: log})
	poll := func(wantData bool, wantLines int) {
		t.Helper()
		for range 3 {
			_, body := coretest.Ask(t, endpoint, "subscribed[a]=0.0&data=1")
			if !strings.HasPrefix(body, `{"s":1,`) || strings.Contains(body, `"d":{"a":"x"}`) != wantData {
				t.Errorf("answered %s; with data: %v", body, wantData)
			}
		}
		got := lines()
		last := got[len(got)-1]
		for _, want := range []string{"event=a", "permission denied", "chmod 0644"} {
			if len(got) != wantLines || !strings.Contains(last, want) {
				t.Errorf("logged %q; want %d lines with the event, the reason and the remedy", got, wantLines)
			}
		}
	}
	at := time.Now().Add(-time.Hour)
	publish(at)
	poll(false, 1)
	publish(at.Add(time.Second))
	poll(false, 2)
	must(t, os.Chmod(path, 0o644))
	poll(true, 2)
}

// `echo x > file` truncates the file and writes it. Both can be within one tick of the kernel's clock, with a
// check between them. The last content must reach a poll, also after others that were overwritten at once.
func TestEndpoint_DeliversTheLastContentThatEchoWrites(t *testing.T) {
	for _, fine := range []bool{false, true} {
		t.Run(fmt.Sprintf("fine timestamps %v", fine), func(t *testing.T) {
			s, directory := newStore(t)
			must(t, s.Probe())
			if fine && !s.FineTimestamps {
				t.Skip("this kernel's timestamps are coarse")
			}
			s.FineTimestamps = fine
			endpoint := core.NewEndpoint(s, core.Options{Location: core.Location{Tries: 100, Sleep: 100 * time.Millisecond}})
			defer endpoint.Close()
			ctx, stop := context.WithCancel(t.Context())
			var clients sync.WaitGroup
			defer clients.Wait()
			defer stop()
			const events, echoes = 20, 50
			received := map[string]chan string{}
			for i := range events {
				name := fmt.Sprintf("event-%d", i)
				data := make(chan string, 1000)
				received[name] = data
				clients.Go(func() { pollData(ctx, endpoint, name, data) })
			}
			for echo := range echoes {
				want := fmt.Sprintf("echo %d", echo)
				for name := range received {
					path := filepath.Join(directory, name+".comet")
					for i := range rand.IntN(3) {
						mustWrite(t, path, fmt.Sprintf("%d before echo %d\n", i, echo))
					}
					mustWrite(t, path, want+"\n")
				}
				timeout := time.After(servertest.Patience)
				for name, data := range received {
					for got := ""; got != want; {
						select {
						case got = <-data:
						case <-timeout:
							t.Fatalf("%s: the last data is %q; want %q", name, got, want)
						}
					}
				}
			}
		})
	}
}

// pollData is a client that polls one event, and sends the data that it gets.
func pollData(ctx context.Context, endpoint *core.Endpoint, name string, data chan<- string) {
	for cursor := "0.0"; ctx.Err() == nil; {
		r := httptest.NewRequestWithContext(ctx, "GET", "/?data=1&subscribed["+name+"]="+cursor, nil)
		w := httptest.NewRecorder()
		endpoint.ServeHTTP(w, r)
		var answer struct{ At, D map[string]string }
		if json.Unmarshal(w.Body.Bytes(), &answer) != nil {
			return
		}
		cursor = answer.At[name]
		if text, ok := answer.D[name]; ok {
			data <- text
		}
	}
}
