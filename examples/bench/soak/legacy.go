package soak

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

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
func (p *page) runLegacy(ctx context.Context) {
	clock := func() int64 { return time.Now().Add(p.Ahead.duration()).UnixMilli() }
	for _, id := range p.IDs {
		p.cursors[id] = strconv.Itoa(int(math.Round(float64(clock()) / 1000)))
	}
	for {
		var query strings.Builder
		query.WriteString("&")
		for _, id := range p.IDs {
			fmt.Fprintf(&query, "subscribed[%s]=%s&", id, p.cursors[id])
		}
		fmt.Fprint(&query, clock())
		if p.poll(ctx, query.String()) != nil || launch.Sleep(ctx, legacyPause) != nil {
			return
		}
	}
}
