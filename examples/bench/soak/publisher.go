package soak

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pkg/errors"

	"novcomet/examples/internal/launch"
)

// events are the ids that are published: a few busy ones, with many pages each, and many quiet ones, with few
// pages each. Quiet ones are published so seldom that a later publication does not hide that an earlier one
// was missed.
type events struct {
	busy, quiet []string
	publishing  map[string]*sync.RWMutex // locked for writing by a way that must be alone
}

const (
	busyEvents   = 4
	quietPerPage = 3
)

func newEvents(pages int) (e events) {
	for i := range busyEvents {
		e.busy = append(e.busy, fmt.Sprintf("busy-%d", i))
	}
	for i := range max(pages, 2*quietPerPage) {
		e.quiet = append(e.quiet, fmt.Sprintf("quiet-%03d", i))
	}
	e.publishing = map[string]*sync.RWMutex{}
	for _, id := range slices.Concat(e.busy, e.quiet) {
		e.publishing[id] = new(sync.RWMutex)
	}
	return e
}

// ofPage returns the events of a page. Half of the pages of each kind have a busy one, too.
func (e events) ofPage(number int) []string {
	var ids []string
	for _, i := range rand.Perm(len(e.quiet))[:quietPerPage] {
		ids = append(ids, e.quiet[i])
	}
	if number/4%2 == 0 {
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

// way is a way to publish.
type way struct {
	name    string
	data    bool // with data
	alone   bool // No other program may publish the event meanwhile.
	publish func(ctx context.Context, id, data string) error
}

// byURL are the ways to publish that every store has.
func (s *soak) byURL() []way {
	client := newBrowser()
	publish := func(ctx context.Context, method, id string, body io.Reader) error {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		answer, err := do(ctx, client, method, s.endpoint+"?publish="+id, body)
		if err == nil && string(answer) != "true" {
			err = fmt.Errorf("answered %q", answer)
		}
		return err
	}
	return []way{
		{name: "URL", publish: func(ctx context.Context, id, _ string) error {
			return publish(ctx, http.MethodGet, id, nil)
		}},
		{name: "URL with data", data: true, publish: func(ctx context.Context, id, data string) error {
			return publish(ctx, http.MethodPost, id, strings.NewReader(data))
		}},
	}
}

// publishUntil publishes at random, sometimes several times within a second, which a legacy cursor cannot
// distinguish.
func (s *soak) publishUntil(ctx context.Context, end time.Time) {
	for time.Now().Before(end) && launch.Sleep(ctx, random(time.Second)) == nil {
		id, times := s.events.any(), 1
		if rand.IntN(4) == 0 {
			times = 2 + rand.IntN(4)
		}
		for range times {
			s.publish(ctx, oneOf(s.ways), id)
			if launch.Sleep(ctx, random(300*time.Millisecond)) != nil {
				return
			}
		}
	}
}

// publish publishes, and records what it did and found. Data has a number, and a length that shows whether
// something is missing.
func (s *soak) publish(ctx context.Context, w way, id string) {
	if publishing := s.events.publishing[id]; w.alone {
		publishing.Lock()
		defer publishing.Unlock()
	} else {
		publishing.RLock()
		defer publishing.RUnlock()
	}
	const longest = 3000
	data := fmt.Sprintf(`{"n":%d,"x":"%s"}`, s.published.Add(1), strings.Repeat("x", rand.IntN(longest)))
	p := &publication{ID: id, Way: w.name, Start: now()}
	if w.data {
		p.Data = &data
	}
	err := w.publish(ctx, id, data)
	stamp, found := s.store.stamp(ctx, id)
	if ctx.Err() != nil {
		return
	}
	p.End, p.Stamp = now(), stamp
	if err = cmp.Or(err, found); err != nil {
		p.Error = kindOf(err)
	}
	s.history.add(p)
}

// newBrowser returns a client that keeps connections as a browser does. If the server closes a kept
// connection before the first byte of an answer, the client sends the request once more on a new one. Any
// other failure is an error.
func newBrowser() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableCompression: true}}
}

// do returns the body of an answer. A status other than HTTP 200 is an error.
func do(ctx context.Context, client *http.Client, method, url string, body io.Reader) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, errors.Wrap(err, "making a request")
	}
	request.Header["Idempotency-Key"] = nil // It is not sent, but a POST may be sent again, too.
	answer, err := client.Do(request)
	if err != nil {
		return nil, err // kindOf shortens it.
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP %d", answer.StatusCode)
	}
	return text, nil
}
