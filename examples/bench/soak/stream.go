package soak

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"

	pkgerrors "github.com/pkg/errors"

	"novcomet/examples/internal/launch"
)

// runStream reads streams as EventSource does: each is opened by the same URL, and with the last id that was
// received.
func (p *page) runStream(ctx context.Context) {
	url, last := p.soak.endpoint+"?"+p.query(), ""
	for known := maps.Clone(p.cursors); ; {
		p.cursors = maps.Clone(known) // A part that was cut off comes again.
		if err := p.readStream(ctx, url, &last, known); p.givesUp(ctx, err) || launch.Sleep(ctx, retryPause) != nil {
			return
		}
	}
}

// readStream opens a stream and reads it to its end. It records each event, and the end or an error after the
// last one. known are the cursors of the last id that was received.
func (p *page) readStream(ctx context.Context, url string, last *string, known map[string]string) (failed error) {
	opened := now()
	next := func(sent micros) *pollRecord {
		r := p.newPoll(sent)
		r.Opened = opened
		return r
	}
	r := next(opened)
	defer func() { p.record(ctx, r, "", failed) }()
	request, err := http.NewRequestWithContext(traced(ctx, r), http.MethodGet, url, nil)
	if err != nil {
		return pkgerrors.Wrap(err, "making a request")
	}
	request.Header.Set("Accept", "text/event-stream")
	if *last != "" {
		request.Header.Set("Last-Event-ID", *last)
	}
	answer, err := p.browser.Do(request)
	if err != nil {
		return err // kindOf shortens it.
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("HTTP %d", answer.StatusCode)
	}
	var data, id string
	resumable := true // No event waits for an id.
	for lines := bufio.NewReader(answer.Body); ; {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) && !resumable {
			return fmt.Errorf("the last part of a stream has no id: %w", errInvalid)
		}
		if errors.Is(err, io.EOF) { // An event that is not complete does not count.
			return nil
		}
		if err != nil {
			return pkgerrors.Wrap(err, "reading a stream")
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "data":
			data = value
		case "id":
			id = value
		case "":
			switch {
			case id != "":
				resumable = true
			case data != "": // Only the last event of a part has the id.
				resumable = false
			case !resumable:
				return fmt.Errorf("a part of a stream has no id: %w", errInvalid)
			}
			if data != "" {
				if err := p.read([]byte(data)); err != nil {
					return err
				}
				p.record(ctx, r, data, nil)
			}
			if id != "" {
				if err := p.moveTo(id); err != nil {
					return err
				}
				*last = id
				maps.Copy(known, p.cursors)
			}
			before := r
			r = next(max(before.Sent, before.At)) // The next one is asked for by the answer before.
			if data == "" {                       // before is not recorded.
				r.Resent = before.Resent
			}
			data, id = "", ""
		}
	}
}

// moveTo moves the cursors to those of an id.
func (p *page) moveTo(id string) error {
	cursors := strings.Split(id, ",")
	if len(cursors) != len(p.IDs) {
		return fmt.Errorf("the id %q of a stream of %d events: %w", id, len(p.IDs), errInvalid)
	}
	for i, cursor := range cursors {
		if !preciseCursor.MatchString(cursor) {
			return fmt.Errorf("%q is not a cursor of %q: %w", cursor, p.IDs[i], errInvalid)
		}
		p.cursors[p.IDs[i]] = cursor
	}
	return nil
}
