package soak

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// ownPause is what the script of the pages written for comet.php waits after each answer.
const ownPause = time.Second

// someClock is by how much a page's clock is ahead: about right, behind by up to ten minutes, or ahead by so little that, rounded, it is
// no more than two seconds later than the server's. Beyond that nothing is promised until the first answer.
func someClock() time.Duration {
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

// liveInSeconds is the script in the pages written for comet.php, which can't be changed any more. It ends at the
// first answer that is not HTTP 200.
func (p *page) liveInSeconds(ctx context.Context) error {
	since := map[string]int64{} // T
	clock := func() int64 { return time.Now().Add(p.ahead).UnixMilli() }
	p.mu.Lock()
	for _, id := range p.ids {
		since[id] = int64(math.Round(float64(clock()) / 1000))
		_, p.seen[id] = second(since[id])
	}
	p.mu.Unlock()
	for {
		var query strings.Builder
		query.WriteString("&")
		for _, id := range p.ids {
			fmt.Fprintf(&query, "subscribed[%s]=%d&", id, since[id])
		}
		fmt.Fprint(&query, clock())
		sent := now()
		body, err := p.ask(ctx, query.String())
		if err != nil {
			return err
		}
		if err := p.hear(body, since, sent); err != nil {
			return errors.WithMessagef(err, "?%s was answered %q", &query, body)
		}
		if err := wait(ctx, ownPause); err != nil {
			return err
		}
	}
}

// hear takes in the answer to a poll with these T.
func (p *page) hear(body []byte, since map[string]int64, sent time.Time) error {
	// A publication shortly before a poll's arrival may count as new. Whoever sends back the S of an answer does so 1 s after
	// it, and that came when S was over.
	const justBefore = time.Second
	var answer struct {
		S int
		K map[string]int64
	}
	if err := understand(body, &answer); err != nil {
		return err
	}
	if (answer.S == 1) != (len(answer.K) > 0) {
		return errors.New("s and k do not fit")
	}
	at := now()
	p.answered(answer.S == 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, s := range answer.K {
		t, asked := since[id]
		if !asked {
			return errors.New("an event that was not asked for")
		}
		heard := told{at: at}
		heard.from, heard.to = second(s)
		if s <= t {
			heard.since = sent.Add(-justBefore)
		}
		p.told[id] = append(p.told[id], heard)
		since[id] = s
	}
	return nil
}

// second returns the first and the last stamp of a second.
func second(s int64) (first, last time.Time) {
	return time.Unix(s, 0), time.Unix(s+1, 0).Add(-time.Microsecond)
}
