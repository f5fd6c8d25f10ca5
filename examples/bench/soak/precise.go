package soak

import (
	"context"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// livePrecisely is a page that has its cursors at once, and asks again at once after each answer. A request that fails is
// asked again, for that is what a page does; the failure counts all the same.
func (p *page) livePrecisely(ctx context.Context) error {
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
		body, err := p.ask(ctx, query.String())
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			p.soak.failed("polling "+string(p.kind), err)
			if err := wait(ctx, afterFailure); err != nil {
				return err
			}
			continue
		}
		if err := p.hearPrecisely(body, cursors, first); err != nil {
			return errors.WithMessagef(err, "?%s was answered %q", &query, body)
		}
		first = false
	}
}

// hearPrecisely takes in the answer to a poll with these cursors.
func (p *page) hearPrecisely(body []byte, cursors map[string]string, first bool) error {
	var answer struct {
		S  int
		K  map[string]json.Number
		At map[string]string
	}
	if err := understand(body, &answer); err != nil {
		return err
	}
	if (answer.S == 1) != (len(answer.K) > 0) || len(answer.At) != len(p.ids) {
		return errors.New("s, k and at do not fit")
	}
	at := now()
	p.answered(answer.S == 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range p.ids {
		stamp, err := parse(answer.At[id])
		if err != nil {
			return err
		}
		if first {
			p.seen[id] = stamp
		}
		if _, changed := answer.K[id]; changed {
			p.told[id] = append(p.told[id], told{at: at, from: stamp, to: stamp, again: answer.At[id] == cursors[id]})
		} // Else, should the cursor have moved all the same, the page knows nothing of it, and will not be told any more.
		cursors[id] = answer.At[id]
	}
	return nil
}

var cursor = regexp.MustCompile(`^([0-9]+)\.([0-9]{6})$`)

// parse returns the stamp of a cursor.
func parse(s string) (time.Time, error) {
	found := cursor.FindStringSubmatch(s)
	if found == nil {
		return time.Time{}, errors.Errorf("%q is no cursor", s)
	}
	seconds, err := strconv.ParseInt(found[1], 10, 64)
	if err != nil {
		return time.Time{}, errors.Wrap(err, "a cursor")
	}
	micros, err := strconv.ParseInt(found[2], 10, 64)
	return time.Unix(seconds, micros*1000), errors.Wrap(err, "a cursor")
}
