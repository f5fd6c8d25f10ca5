//go:build long

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// oldClient is the script in the pages written for comet.php, together with the web server that it asks. It cannot be
// changed any more, and it stops for ever at the first answer that is not HTTP 200.
type oldClient struct {
	name   string
	socket string
	clock  time.Duration // ahead of the server's
	ids    []string
	since  map[string]int64 // T

	mu      sync.Mutex // protects the following
	started time.Time
	told    []told
	polls   int
	died    error
}

// told is one event in one answer.
type told struct {
	id     string
	second int64 // S
	at     time.Time
}

func newOldClient(name, socket string, clock time.Duration, ids ...string) *oldClient {
	return &oldClient{name: name, socket: socket, clock: clock, ids: ids, since: map[string]int64{}}
}

// run subscribes, and then asks again 1 s after each answer, until ctx ends.
func (c *oldClient) run(ctx context.Context) {
	const pause = time.Second
	c.mu.Lock()
	c.started = time.Now()
	c.mu.Unlock()
	for _, id := range c.ids {
		c.since[id] = int64(math.Round(float64(time.Now().Add(c.clock).UnixMilli()) / 1000))
	}
	for ctx.Err() == nil {
		if err := c.poll(); err != nil {
			c.mu.Lock()
			c.died = err
			c.mu.Unlock()
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (c *oldClient) query() string {
	var b strings.Builder
	b.WriteString("&")
	for _, id := range c.ids {
		fmt.Fprintf(&b, "subscribed[%s]=%d&", id, c.since[id])
	}
	fmt.Fprint(&b, time.Now().Add(c.clock).UnixMilli())
	return b.String()
}

func (c *oldClient) poll() error {
	query := c.query()
	body, err := c.get(query)
	if err != nil {
		return errors.WithMessagef(err, "?%s", query)
	}
	var answer struct {
		S *int             `json:"s"`
		K map[string]int64 `json:"k"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.S == nil || (*answer.S == 1) != (len(answer.K) > 0) {
		return errors.Errorf("?%s was answered with %q (%v)", query, body, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.polls++
	for id, second := range answer.K {
		c.since[id] = second
		c.told = append(c.told, told{id, second, time.Now()})
	}
	return nil
}

// get does what nginx does between the page and comet-fcgi: a connection for each request, and HTTP 502 or 504 to the
// page for whatever goes wrong with it.
func (c *oldClient) get(query string) (body string, err error) {
	conn, err := net.Dial("unix", c.socket)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return "", err
	}
	if _, err := conn.Write(sentRequest(1, 0, asked(query), "")); err != nil {
		return "", err
	}
	r, err := (&webServer{conn, bufio.NewReader(conn)}).response(1)
	if err == nil && (r.ended != 0 || r.status != 200) {
		err = errors.Errorf("ended %d, HTTP %d: %s", r.ended, r.status, r.body)
	}
	return r.body, err
}
