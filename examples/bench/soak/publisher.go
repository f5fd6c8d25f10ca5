package soak

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// events are the names of what is published: a few that many pages wait for, and many with few pages each. Those are
// published so seldom that a later publication does not make good for one that was missed.
type events struct{ busy, quiet []string }

func newEvents(pages int) events {
	const busy = 4
	var e events
	for i := range busy {
		e.busy = append(e.busy, fmt.Sprintf("busy-%d", i))
	}
	for i := range max(pages, 2*quietOfAPage) {
		e.quiet = append(e.quiet, fmt.Sprintf("quiet-%03d", i))
	}
	return e
}

const quietOfAPage = 3

// ofAPage are those that a page waits for; every second pair of pages waits for a busy one, too.
func (e events) ofAPage(number int) []string {
	var ids []string
	for _, i := range rand.Perm(len(e.quiet))[:quietOfAPage] {
		ids = append(ids, e.quiet[i])
	}
	if number/2%2 == 0 {
		ids = append(ids, e.busy[rand.IntN(len(e.busy))])
	}
	return ids
}

func (e events) any() string {
	if rand.IntN(5) == 0 {
		return e.busy[rand.IntN(len(e.busy))]
	}
	return e.quiet[rand.IntN(len(e.quiet))]
}

// way is how somebody publishes.
type way struct {
	name   string
	script string // of a shell in the directory; "" is a request
}

var ways = []way{
	{"URL", ""},
	{"touch", "touch FILE"},
	{"rewriting", "date > FILE"},
	{"two at once", "touch FILE & date > FILE; wait"},
}

// publishUntil publishes again and again, sometimes in a burst: within one second, where whole seconds tell nothing apart.
func (s *soak) publishUntil(ctx context.Context, end time.Time) {
	client := newBrowser()
	defer client.CloseIdleConnections()
	for time.Now().Before(end) && wait(ctx, random(time.Second)) == nil {
		id, times := s.events.any(), 1
		if rand.IntN(4) == 0 {
			times = 2 + rand.IntN(4)
		}
		for range times {
			s.publish(ctx, client, ways[rand.IntN(len(ways))], id)
			if wait(ctx, random(300*time.Millisecond)) != nil {
				return
			}
		}
	}
}

func (s *soak) publish(ctx context.Context, client *http.Client, w way, id string) {
	p := publication{id: id, way: w.name, begin: time.Now()}
	file := id + ".comet"
	var err error
	if w.script == "" {
		err = s.publishByURL(ctx, client, id)
	} else {
		err = s.shell(ctx, strings.ReplaceAll(w.script, "FILE", file))
	}
	if err != nil && ctx.Err() == nil {
		s.failed("publishing", err) // It may have been done all the same: the file tells.
	}
	info, err := os.Stat(filepath.Join(s.directory, file))
	if err != nil {
		if ctx.Err() == nil {
			s.failed("looking at the file", errors.New("it is not there"))
		}
		return
	}
	p.end, p.stamp = time.Now(), info.ModTime().Truncate(time.Microsecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publications = append(s.publications, p)
}

func (s *soak) publishByURL(ctx context.Context, client *http.Client, id string) error {
	const patience = 30 * time.Second // A server that hangs is not to hang the soak.
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, err := get(ctx, client, s.endpoint+"?publish="+id)
	if err == nil && string(body) != "true" {
		err = errors.Errorf("answered %q", body)
	}
	return err
}

// newBrowser keeps connections as a browser does, and sends a GET once more on a new one if the server has closed a
// kept one before the first byte of the answer; anything else that goes wrong is an error.
func newBrowser() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableCompression: true}}
}

// get returns the body of an answer with HTTP 200; any other is an error.
func get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, errors.Wrap(err, "making a request")
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err // It says all by itself, and its kind counts.
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, errors.Wrap(err, "reading an answer")
	}
	if answer.StatusCode != http.StatusOK {
		return nil, errors.Errorf("HTTP %d", answer.StatusCode)
	}
	return body, nil
}

// random is a duration below d, which is positive.
func random(d time.Duration) time.Duration { return rand.N(max(d, 1)) }
