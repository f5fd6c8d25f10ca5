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

// page polls until it is left, as a page in a browser does.
type page struct {
	soak    *soak
	kind    kind
	name    string
	ids     []string
	ahead   time.Duration // its clock, of the server's
	browser *http.Client

	mu     sync.Mutex // protects the following
	joined time.Time
	// seen is up to when it said that it had seen each event, when it came. Whatever is later it must be told of.
	seen map[string]time.Time
	told map[string][]told // in the order of time
	lain []outage          // times in which a poll lay unread in the web server, until that closed its connection
	died error
}

// kind is how a page polls.
type kind string

const (
	wholeSecond kind = "whole-second"
	precise     kind = "precise"
)

// told is one event in one answer.
type told struct {
	at time.Time // when the answer came
	// from and to are the stamps that it can mean: a whole second, or a single one.
	from, to time.Time
	// since: a publication that it means was under way then or later, for the page had been told of all before.
	since time.Time
	again bool // It means none: it is what the page has sent.
}

// covers reports whether the page knows of the publication from this answer. Whoever is told of a second knows only of
// what there was in it when the answer came.
func (t told) covers(stamp time.Time) bool { return !stamp.After(t.to) && !stamp.After(t.at) }

func (s *soak) newPage(number int) *page {
	p := &page{
		soak: s, kind: precise, ids: s.events.ofAPage(number), browser: newBrowser(),
		seen: map[string]time.Time{}, told: map[string][]told{},
	}
	if number%2 == 0 {
		p.kind, p.ahead = wholeSecond, someClock()
	}
	p.name = fmt.Sprintf("page %d (%s, its clock ahead by %v)", number, p.kind, p.ahead.Round(time.Millisecond))
	return p
}

// live polls until ctx ends.
func (p *page) live(ctx context.Context) {
	p.mu.Lock()
	p.joined = now()
	p.mu.Unlock()
	var err error
	if p.kind == wholeSecond {
		err = p.liveInSeconds(ctx)
	} else {
		err = p.livePrecisely(ctx)
	}
	if ctx.Err() == nil {
		p.soak.failed("polling "+string(p.kind), err)
		p.mu.Lock()
		p.died = err
		p.mu.Unlock()
	}
}

// ask sends a poll, and notes if it had to be sent once more: see newBrowser.
func (p *page) ask(ctx context.Context, query string) ([]byte, error) {
	sent, connections := now(), 0
	again := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		if connections++; connections > 1 {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.lain = append(p.lain, outage{sent, now()})
		}
	}})
	return get(again, p.browser, p.soak.endpoint+"?"+query)
}

// understand takes an answer for what it says, and nothing more may be in it.
func understand(body []byte, answer any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	return errors.Wrap(decoder.Decode(answer), "not understood")
}

// answered counts an answer.
func (p *page) answered(changed bool) {
	p.soak.mu.Lock()
	defer p.soak.mu.Unlock()
	p.soak.answers++
	if !changed {
		p.soak.unchanged++
	}
}

// now is the time of the wall clock, which stamps can be compared with.
func now() time.Time { return time.Now().Round(0) }
