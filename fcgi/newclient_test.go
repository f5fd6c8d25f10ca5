//go:build long

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// newClient is a page that polls with precise cursors: it asks again at once. It, too, counts every failed request as the end.
type newClient struct {
	oldClient
	cursors map[string]string
}

func newNewClient(name, socket string, ids ...string) *newClient {
	c := &newClient{*newOldClient(name, socket, 0, ids...), map[string]string{}}
	for _, id := range ids {
		c.cursors[id] = "now"
	}
	return c
}

// run has its cursors at once, and then asks again after each answer, until ctx ends.
func (c *newClient) run(ctx context.Context) {
	c.mu.Lock()
	c.started = time.Now()
	c.mu.Unlock()
	for wait := "&wait=0"; ctx.Err() == nil; wait = "" {
		if err := c.poll(wait); err != nil {
			c.mu.Lock()
			c.died = err
			c.mu.Unlock()
			return
		}
	}
}

func (c *newClient) poll(wait string) error {
	var query strings.Builder
	for _, id := range c.ids {
		fmt.Fprintf(&query, "subscribed[%s]=%s&", id, c.cursors[id])
	}
	body, err := c.get(query.String() + wait)
	if err != nil {
		return errors.WithMessagef(err, "?%s", &query)
	}
	var answer struct {
		S  *int               `json:"s"`
		K  map[string]float64 `json:"k"`
		At map[string]string  `json:"at"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.S == nil || len(answer.At) != len(c.ids) {
		return errors.Errorf("?%s was answered with %q (%v)", &query, body, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.polls++
	for id := range answer.K {
		stamp, err := strconv.ParseFloat(answer.At[id], 64)
		if err != nil {
			return errors.Errorf("%q has no cursor of %s", body, id)
		}
		c.told = append(c.told, told{id, int64(math.Floor(stamp)), time.Now()})
	}
	c.cursors = answer.At
	return nil
}
