package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// page polls like a page in a browser.
type page struct {
	soak    *soak
	kind    kind
	name    string
	ids     []string
	ahead   time.Duration // how far its clock is ahead of the server's
	browser *http.Client

	mu         sync.Mutex // protects the following
	joined     time.Time
	known      map[string]time.Time  // the stamp of each event up to which the page knew everything when it joined
	deliveries map[string][]delivery // of each event, in the order of time
	unread     []gap                 // times in which the web server had a poll but did not read it
	ended      error
}

// kind is the protocol of a page.
type kind string

const (
	legacy  kind = "legacy"
	precise kind = "precise"
)

// delivery is one event in one answer.
type delivery struct {
	at       time.Time // when the answer came
	from, to time.Time // the stamps that it can mean: those of a second, or a single one
	since    time.Time // when the poll was sent with a cursor of the same second; zero: with an earlier one
	again    bool      // the stamp is the cursor of the poll
}

// covers reports whether the page knows of the publication by this delivery. A second covers only what was
// published before the answer came.
func (d delivery) covers(stamp time.Time) bool { return !stamp.After(d.to) && !stamp.After(d.at) }

func (s *soak) newPage(number int) *page {
	p := &page{
		soak: s, kind: precise, ids: s.events.ofPage(number), browser: newBrowser(),
		known: map[string]time.Time{}, deliveries: map[string][]delivery{},
	}
	if number%2 == 0 {
		p.kind, p.ahead = legacy, legacyClock()
	}
	p.name = fmt.Sprintf("page %d (%s, its clock ahead by %v)", number, p.kind, p.ahead.Round(time.Millisecond))
	return p
}

// run polls until ctx ends.
func (p *page) run(ctx context.Context) {
	p.mu.Lock()
	p.joined = now()
	p.mu.Unlock()
	var err error
	if p.kind == legacy {
		err = p.runLegacy(ctx)
	} else {
		err = p.runPrecise(ctx)
	}
	if ctx.Err() == nil {
		p.soak.fail("polling "+string(p.kind), err)
		p.mu.Lock()
		p.ended = err
		p.mu.Unlock()
	}
}

// poll sends a poll and returns its answer. It records if the browser had to send it again.
func (p *page) poll(ctx context.Context, query string) ([]byte, error) {
	sent, connections := now(), 0
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		if connections++; connections > 1 {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.unread = append(p.unread, gap{sent, now()})
		}
	}})
	return get(traced, p.browser, p.soak.endpoint+"?"+query)
}

// decode decodes an answer, which may have no other members.
func decode(body []byte, answer any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	return errors.Wrap(decoder.Decode(answer), "invalid answer")
}

func (p *page) countAnswer(changed bool) {
	p.soak.mu.Lock()
	defer p.soak.mu.Unlock()
	p.soak.answers++
	if !changed {
		p.soak.unchanged++
	}
}
