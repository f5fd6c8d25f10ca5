package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"time"

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
		switch {
		case p.Kind == legacy:
			p.runLegacy(ctx)
		case p.getCursors(ctx) != nil:
		case p.Kind == precise:
			p.runPrecise(ctx)
		default:
			p.runStream(ctx)
		}
		if launch.Sleep(ctx, retryPause) != nil {
			return
		}
	}
}

// errInvalid means that an answer breaks the protocol.
var errInvalid = errors.New("invalid answer")

// newPoll returns the record of a poll that has no answer yet.
func (p *page) newPoll(sent micros) *pollRecord {
	return &pollRecord{Page: p.Page, Sent: sent, Cursors: maps.Clone(p.cursors), Data: p.data}
}

// poll sends a poll and reads its answer. It records the two, and if the browser had to send the poll again.
func (p *page) poll(ctx context.Context, query string) error {
	r := p.newPoll(now())
	body, err := do(traced(ctx, r), p.browser, http.MethodGet, p.soak.endpoint+"?"+query, nil)
	if err == nil {
		err = p.read(body)
	}
	p.record(ctx, r, string(body), err)
	return err
}

// traced returns a context whose request notes in the record when the browser sends it again.
func traced(ctx context.Context, r *pollRecord) context.Context {
	connections := 0
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		if connections++; connections > 1 {
			r.Resent = now()
		}
	}})
}

// record adds the record of a poll. A legacy page ends with any error, and the others with an invalid answer.
func (p *page) record(ctx context.Context, r *pollRecord, answer string, err error) {
	r.At, r.Pending = now(), err != nil && ctx.Err() != nil
	switch {
	case r.Pending:
	case err == nil:
		r.Answer = answer
	default:
		r.Error = kindOf(err)
		r.Ended = p.Kind == legacy || errors.Is(err, errInvalid)
	}
	p.soak.history.add(r)
}

// answer is an answer to a poll, or an event of a stream.
type answer struct {
	S  int
	K  map[string]json.Number
	At map[string]string
	D  map[string]json.RawMessage
}

var (
	legacyCursor  = regexp.MustCompile(`^[0-9]+$`)
	preciseCursor = regexp.MustCompile(`^[0-9]{1,11}\.[0-9]{6}$`)
)

// read checks the form of an answer, and moves the cursors. A precise cursor also moves if the answer does
// not name the event as changed; then the page has missed what was published up to there.
func (p *page) read(body []byte) error {
	var a answer
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&a); err != nil {
		return fmt.Errorf("%v: %q: %w", err, body, errInvalid)
	}
	cursors, form := a.At, preciseCursor
	if p.Kind == legacy {
		cursors, form = map[string]string{}, legacyCursor
		for id, second := range a.K {
			cursors[id] = second.String()
		}
	}
	switch {
	case (a.S == 1) != (len(a.K) > 0):
		return fmt.Errorf("s and k contradict each other: %w", errInvalid)
	case p.Kind == precise && len(a.At) != len(p.IDs), p.Kind == legacy && (a.At != nil || a.D != nil):
		return fmt.Errorf("it answers another kind of poll: %w", errInvalid)
	}
	for id, stamp := range a.K {
		if cursors[id] != stamp.String() {
			return fmt.Errorf("k has %v for %q, and at has %q: %w", stamp, id, cursors[id], errInvalid)
		}
	}
	for id := range a.D {
		if _, changed := a.K[id]; !changed || !p.data {
			return fmt.Errorf("it has data of %q, which the page did not ask for: %w", id, errInvalid)
		}
	}
	for id, cursor := range cursors {
		before, asked := p.cursors[id]
		if !asked || !form.MatchString(cursor) && (cursor != "now" || before != "now") {
			return fmt.Errorf("%q is not a cursor of %q: %w", cursor, id, errInvalid)
		}
		p.cursors[id] = cursor
	}
	return nil
}

// random returns a duration below d.
func random(d time.Duration) time.Duration { return rand.N(max(d, 1)) }
