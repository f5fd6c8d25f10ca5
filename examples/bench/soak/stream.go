package soak

import (
	"bufio"
	"context"
	"io"
	"maps"
	"net/http"
	"strings"

	"github.com/pkg/errors"

	"novcomet/examples/internal/launch"
)

// runStream reads streams as EventSource does: each is opened by the same URL, and with the last id that was
// received.
func (p *page) runStream(ctx context.Context) {
	url, last := p.soak.endpoint+"?"+p.query(), ""
	for known := maps.Clone(p.cursors); ; {
		p.cursors = maps.Clone(known) // A part that was cut off comes again.
		r := p.newPoll(now())
		err := p.readStream(ctx, url, &last, known)
		if err != nil {
			p.record(ctx, r, "", err)
		}
		if p.givesUp(ctx, err) || launch.Sleep(ctx, retryPause) != nil {
			return
		}
	}
}

// readStream opens a stream and reads it to its end. It records each event. known are the cursors of the last
// id that was received.
func (p *page) readStream(ctx context.Context, url string, last *string, known map[string]string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return errors.Wrap(err, "making a request")
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
		return errors.Errorf("HTTP %d", answer.StatusCode)
	}
	r := p.newPoll(now())
	var data, id string
	for lines := bufio.NewReader(answer.Body); ; {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) { // An event that is not complete does not count.
			return nil
		}
		if err != nil {
			return errors.Wrap(err, "reading a stream")
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "data":
			data = value
		case "id":
			id = value
		case "":
			if data != "" {
				err := p.read([]byte(data))
				p.record(ctx, r, data, err)
				if err != nil {
					return err
				}
			}
			if cursors := strings.Split(id, ","); len(cursors) == len(p.IDs) {
				*last = id
				for i, id := range p.IDs {
					p.cursors[id], known[id] = cursors[i], cursors[i]
				}
			}
			r = p.newPoll(max(r.Sent, r.At)) // The next one is asked for by the answer before.
			data, id = "", ""
		}
	}
}
