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

	"novcomet/examples/internal/launch"
)

// events are the ids that are published: a few busy ones, with many pages each, and many quiet ones, with few
// pages each. Quiet ones are published so seldom that a later publication does not hide that an earlier one
// was missed.
type events struct{ busy, quiet []string }

const quietPerPage = 3

func newEvents(pages int) (e events) {
	const busy = 4
	for i := range busy {
		e.busy = append(e.busy, fmt.Sprintf("busy-%d", i))
	}
	for i := range max(pages, 2*quietPerPage) {
		e.quiet = append(e.quiet, fmt.Sprintf("quiet-%03d", i))
	}
	return e
}

// ofPage returns the events of a page. Every second pair of pages has a busy one, too.
func (e events) ofPage(number int) []string {
	var ids []string
	for _, i := range rand.Perm(len(e.quiet))[:quietPerPage] {
		ids = append(ids, e.quiet[i])
	}
	if number/2%2 == 0 {
		ids = append(ids, oneOf(e.busy))
	}
	return ids
}

func (e events) any() string {
	if rand.IntN(5) == 0 {
		return oneOf(e.busy)
	}
	return oneOf(e.quiet)
}

func oneOf[T any](all []T) T { return all[rand.IntN(len(all))] }

// publication is a change of an event's file by another process.
type publication struct {
	id, way    string
	begin, end time.Time // of that process or request
	// stamp is that of the file afterwards. It may belong to another publication at the same time; then a
	// page that has it has both.
	stamp time.Time
}

func (p publication) String() string {
	return fmt.Sprintf("%s, published by %s at %s", p.id, p.way, clock(p.stamp))
}

// way is a way to publish. Without a script it is a request.
type way struct{ name, script string }

var ways = []way{
	{"URL", ""},
	{"touch", "touch FILE"},
	{"rewriting", "date > FILE"},
	{"two at once", "touch FILE & date > FILE; wait"},
}

// publishUntil publishes at random, sometimes several times within a second, which a legacy cursor cannot
// distinguish.
func (s *soak) publishUntil(ctx context.Context, end time.Time) {
	client := newBrowser()
	defer client.CloseIdleConnections()
	for time.Now().Before(end) && launch.Sleep(ctx, random(time.Second)) == nil {
		id, times := s.events.any(), 1
		if rand.IntN(4) == 0 {
			times = 2 + rand.IntN(4)
		}
		for range times {
			s.publish(ctx, client, oneOf(ways), id)
			if launch.Sleep(ctx, random(300*time.Millisecond)) != nil {
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
		s.fail("publishing", err) // The file may have changed all the same.
	}
	info, err := os.Stat(filepath.Join(s.directory, file))
	if err != nil {
		if ctx.Err() == nil {
			s.fail("publishing", errors.New("the file is missing"))
		}
		return
	}
	p.end, p.stamp = time.Now(), info.ModTime().Truncate(time.Microsecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publications = append(s.publications, p)
}

func (s *soak) publishByURL(ctx context.Context, client *http.Client, id string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	body, err := get(ctx, client, s.endpoint+"?publish="+id)
	if err == nil && string(body) != "true" {
		err = errors.Errorf("answered %q", body)
	}
	return err
}

// newBrowser returns a client that keeps connections as a browser does. If the server closes a kept
// connection before the first byte of an answer, the client sends the GET once more on a new one. Any other
// failure is an error.
func newBrowser() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableCompression: true}}
}

// get returns the body of an answer. A status other than HTTP 200 is an error.
func get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, errors.Wrap(err, "making a request")
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err // kindOf needs its type.
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
