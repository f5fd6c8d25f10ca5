package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/pkg/errors"

	"novcomet/examples/internal/launch"
)

// page polls like a page in a browser, and records what it asked and was answered.
type page struct {
	pageRecord
	soak    *soak
	data    bool // It asks for data.
	browser *http.Client
	cursors map[string]string
}

// kind is the protocol of a page.
type kind string

const (
	legacy  kind = "legacy"
	precise kind = "precise"
	stream  kind = "stream"
)

// retryPause is how long a page waits after a failed request, and a user until a page that has ended is
// opened again.
const retryPause = time.Second

func (s *soak) newPage(number int) *page {
	kinds := []kind{legacy, precise, legacy, stream}
	return &page{
		pageRecord: pageRecord{Kind: kinds[number%len(kinds)], IDs: s.events.ofPage(number)},
		soak:       s, data: number/8%2 == 0, browser: newBrowser(),
	}
}

// run polls until ctx ends. If the page ends, another one takes its place.
func (p *page) run(ctx context.Context) {
	defer p.browser.CloseIdleConnections()
	for ctx.Err() == nil {
		p.Page, p.cursors = int(p.soak.lastPage.Add(1)), map[string]string{}
		if p.Kind == legacy {
			p.Ahead = toMicros(legacyClock())
		}
		record := p.pageRecord
		p.soak.history.add(&record)
		switch p.Kind {
		case legacy:
			p.runLegacy(ctx)
		case precise:
			p.runPrecise(ctx)
		case stream:
			p.runStream(ctx)
		}
		if launch.Sleep(ctx, retryPause) != nil {
			return
		}
	}
}

// errInvalid means that an answer breaks the protocol.
var errInvalid = errors.New("invalid answer")

// asks returns the record of a poll, without its answer.
func (p *page) asks(sent micros) *pollRecord {
	return &pollRecord{Page: p.Page, Sent: sent, Cursors: maps.Clone(p.cursors), Data: p.data}
}

// poll sends a poll and reads its answer. It records the two, and if the browser had to send the poll again.
func (p *page) poll(ctx context.Context, query string, read func(body []byte) error) error {
	r := p.asks(now())
	connections := 0
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		if connections++; connections > 1 {
			r.Resent = now()
		}
	}})
	body, err := do(traced, p.browser, http.MethodGet, p.soak.endpoint+"?"+query, nil)
	if err == nil {
		err = read(body)
	}
	p.record(ctx, r, string(body), err)
	return err
}

// record adds the record of a poll. A legacy page ends with any error, and the others with an invalid answer.
func (p *page) record(ctx context.Context, r *pollRecord, answer string, err error) {
	if err != nil && ctx.Err() != nil {
		return // The page was closed.
	}
	r.At, r.Answer = now(), answer
	if err != nil {
		r.Error = kindOf(err)
		r.Ended = p.Kind == legacy || errors.Is(err, errInvalid)
	}
	p.soak.history.add(r)
}

// decode decodes an answer, which may have no other members.
func decode(body []byte, answer any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(answer); err != nil {
		return errors.Wrapf(errInvalid, "%v: %q", err, body)
	}
	return nil
}

// random returns a duration below d.
func random(d time.Duration) time.Duration { return rand.N(max(d, 1)) }
