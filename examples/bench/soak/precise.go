package soak

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/pkg/errors"

	"novcomet/examples/internal/launch"
)

// runPrecise asks for the cursors first, and polls again at once after each answer. After a failed request it
// tries again, as a page does.
func (p *page) runPrecise(ctx context.Context) {
	if p.getCursors(ctx) != nil {
		return
	}
	for {
		if err := p.poll(ctx, p.query(), p.readPrecise); p.givesUp(ctx, err) {
			return
		}
	}
}

// getCursors asks for the cursors until it has them. There are none while the store cannot be reached.
func (p *page) getCursors(ctx context.Context) error {
	for _, id := range p.IDs {
		p.cursors[id] = "now"
	}
	for {
		err := p.poll(ctx, p.query()+"wait=0", p.readPrecise)
		if p.givesUp(ctx, err) {
			return err
		}
		if err == nil && !strings.Contains(p.query(), "=now") {
			return nil
		}
		if err := launch.Sleep(ctx, retryPause); err != nil {
			return err
		}
	}
}

// givesUp waits after a failed request. It reports whether the page ends: it was closed, or the answer was
// invalid.
func (p *page) givesUp(ctx context.Context, err error) bool {
	return err != nil && (errors.Is(err, errInvalid) || launch.Sleep(ctx, retryPause) != nil)
}

func (p *page) query() string {
	var query strings.Builder
	for _, id := range p.IDs {
		query.WriteString("subscribed[" + id + "]=" + p.cursors[id] + "&")
	}
	if p.data {
		query.WriteString("data=1&")
	}
	return query.String()
}

// preciseAnswer is an answer to a precise poll, or an event of a stream.
type preciseAnswer struct {
	S  int
	K  map[string]json.Number
	At map[string]string
	D  map[string]json.RawMessage
}

var preciseCursor = regexp.MustCompile(`^[0-9]{1,11}\.[0-9]{6}$`)

// readPrecise moves the cursors. A cursor also moves if the answer does not name the event as changed; then
// the page has missed what was published up to there.
func (p *page) readPrecise(body []byte) error {
	var answer preciseAnswer
	if err := decode(body, &answer); err != nil {
		return err
	}
	if (answer.S == 1) != (len(answer.K) > 0) || p.Kind == precise && len(answer.At) != len(p.IDs) {
		return errors.WithMessage(errInvalid, "s, k and at contradict each other")
	}
	for id, cursor := range answer.At {
		if !preciseCursor.MatchString(cursor) && (cursor != "now" || p.cursors[id] != "now") {
			return errors.WithMessagef(errInvalid, "%q is not a precise cursor", cursor)
		}
		if _, asked := p.cursors[id]; !asked {
			return errors.WithMessage(errInvalid, "the page did not ask for the event")
		}
		p.cursors[id] = cursor
	}
	return nil
}
