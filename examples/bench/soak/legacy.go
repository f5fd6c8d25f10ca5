package soak

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/pkg/errors"

	"novcomet/examples/internal/launch"
)

// legacyPause is how long comet.php's client waits after each answer.
const legacyPause = time.Second

// legacyClock returns how far a page's clock is ahead: nothing, up to ten minutes behind, or ahead by so
// little that, rounded, it is at most two seconds later than the server's. For a clock further ahead nothing
// is promised until the first answer.
func legacyClock() time.Duration {
	const right, behind, ahead = 500 * time.Millisecond, 10 * time.Minute, 1500 * time.Millisecond
	switch rand.IntN(3) {
	case 0:
		return random(2*right) - right
	case 1:
		return -random(behind)
	default:
		return random(ahead)
	}
}

// runLegacy sends the requests of comet.php's client, which ends at the first answer that is not HTTP 200.
func (p *page) runLegacy(ctx context.Context) error {
	cursors := map[string]int64{}
	clock := func() int64 { return time.Now().Add(p.ahead).UnixMilli() }
	p.mu.Lock()
	for _, id := range p.ids {
		cursors[id] = int64(math.Round(float64(clock()) / 1000))
		_, p.known[id] = secondOf(cursors[id])
	}
	p.mu.Unlock()
	for {
		var query strings.Builder
		query.WriteString("&")
		for _, id := range p.ids {
			fmt.Fprintf(&query, "subscribed[%s]=%d&", id, cursors[id])
		}
		fmt.Fprint(&query, clock())
		sent := now()
		body, err := p.poll(ctx, query.String())
		if err != nil {
			return err
		}
		if err := p.readLegacy(body, cursors, sent); err != nil {
			return errors.WithMessagef(err, "?%s was answered %q", &query, body)
		}
		if err := launch.Sleep(ctx, legacyPause); err != nil {
			return err
		}
	}
}

// readLegacy records the answer to a poll, and moves the cursors.
func (p *page) readLegacy(body []byte, cursors map[string]int64, sent time.Time) error {
	// A publication shortly before the poll may count as new. The poll is sent 1 s after the answer whose
	// second it sends back, and that answer came when the second had ended.
	const justBefore = time.Second
	var answer struct {
		S int
		K map[string]int64
	}
	if err := decode(body, &answer); err != nil {
		return err
	}
	if (answer.S == 1) != (len(answer.K) > 0) {
		return errors.New("s and k contradict each other")
	}
	at := now()
	p.countAnswer(answer.S == 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, second := range answer.K {
		cursor, asked := cursors[id]
		if !asked {
			return errors.New("the page did not ask for the event")
		}
		d := delivery{at: at}
		d.from, d.to = secondOf(second)
		if second <= cursor {
			d.since = sent.Add(-justBefore)
		}
		p.deliveries[id] = append(p.deliveries[id], d)
		cursors[id] = second
	}
	return nil
}

// secondOf returns the first and the last stamp of a second.
func secondOf(second int64) (first, last time.Time) {
	return time.Unix(second, 0), time.Unix(second+1, 0).Add(-time.Microsecond)
}
