package soak

import (
	"context"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"

	"novcomet/examples/internal/launch"
)

// runPrecise asks for the cursors first, and polls again at once after each answer. After a failed request it
// tries again, as a page does; the failure counts all the same.
func (p *page) runPrecise(ctx context.Context) error {
	const afterFailure = time.Second
	cursors := map[string]string{}
	for _, id := range p.ids {
		cursors[id] = "now"
	}
	for first := true; ; {
		var query strings.Builder
		for _, id := range p.ids {
			query.WriteString("subscribed[" + id + "]=" + cursors[id] + "&")
		}
		if first {
			query.WriteString("wait=0")
		}
		body, err := p.poll(ctx, query.String())
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			p.soak.fail("polling "+string(p.kind), err)
			if err := launch.Sleep(ctx, afterFailure); err != nil {
				return err
			}
			continue
		}
		if err := p.readPrecise(body, cursors, first); err != nil {
			return errors.WithMessagef(err, "?%s was answered %q", &query, body)
		}
		first = false
	}
}

// readPrecise records the answer to a poll, and moves the cursors. A cursor also moves if the answer does not
// name the event as changed; then the page has missed what was published up to there.
func (p *page) readPrecise(body []byte, cursors map[string]string, first bool) error {
	var answer struct {
		S  int
		K  map[string]json.Number
		At map[string]string
	}
	if err := decode(body, &answer); err != nil {
		return err
	}
	if (answer.S == 1) != (len(answer.K) > 0) || len(answer.At) != len(p.ids) {
		return errors.New("s, k and at contradict each other")
	}
	at := now()
	p.countAnswer(answer.S == 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range p.ids {
		stamp, err := parseCursor(answer.At[id])
		if err != nil {
			return err
		}
		if first {
			p.known[id] = stamp
		}
		if _, changed := answer.K[id]; changed {
			d := delivery{at: at, from: stamp, to: stamp, again: answer.At[id] == cursors[id]}
			p.deliveries[id] = append(p.deliveries[id], d)
		}
		cursors[id] = answer.At[id]
	}
	return nil
}

var preciseCursor = regexp.MustCompile(`^([0-9]{1,11})\.([0-9]{6})$`)

// parseCursor returns the stamp of a cursor.
func parseCursor(cursor string) (time.Time, error) {
	found := preciseCursor.FindStringSubmatch(cursor)
	if found == nil {
		return time.Time{}, errors.Errorf("%q is not a precise cursor", cursor)
	}
	micros, err := strconv.ParseInt(found[1]+found[2], 10, 64)
	return time.UnixMicro(micros), errors.Wrap(err, "parsing a cursor")
}
