package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"novcomet/core/servertest"
	"novcomet/examples/bench/soak"
)

// perSecondElsewhere is how many publications per second have events that nobody waits for.
const perSecondElsewhere = 20_000

// measureStore measures two comet-fcgi that share a Redis.
func (b *bench) measureStore(ctx context.Context) (failed error) {
	h := &soak.Host{}
	defer h.Close()
	defer soak.RecoverFatal(&failed)
	address := servertest.StartRedis(h, servertest.RedisOptions{}).Address()
	r := goredis.NewClient(&goredis.Options{Addr: address, Protocol: 2, DisableIdentity: true})
	defer r.Close()
	env := []string{"COMET_STORE=redis", "COMET_REDIS_ADDRESSES=" + address, "COMET_STORE_TIMEOUT=30s"}
	var both [2]*subject
	for i := range both {
		s := &subject{name: cometFCGI, socket: filepath.Join(b.scratch, fmt.Sprint("sock", i))}
		defer s.stop()
		if err := b.run(ctx, s, env...); err != nil {
			return err
		}
		both[i] = s
	}
	const table = "two comet-fcgi on one Redis"
	single := b.report.add(table, "one client", 1, storeFigures)
	many := b.report.add(table, fmt.Sprintf("%d clients", b.waiters[0]), b.waiters[0], storeFigures)
	b.show(single, "publishing")
	if err := b.measureOther(ctx, both[0], both[1], single); err != nil {
		return err
	}
	b.show(many, "waiting")
	return b.measureElsewhere(ctx, both[0], r, many)
}

// measureOther measures how soon a client of one comet-fcgi has its answer when the other one publishes.
func (b *bench) measureOther(ctx context.Context, one, other *subject, m *measurement) error {
	const warmUp = 3
	c := &client{subject: one, id: event(0), cursor: "0.000000"}
	defer c.leave()
	latencies, err := c.samples(ctx, warmUp+b.samples, 5*time.Millisecond, func() error { return other.publish(c.id) })
	if err == nil {
		m.addQuantiles("other", latencies[warmUp:])
	}
	return err
}

// measureElsewhere measures what clients cost that wait for an event each, first without publications, then
// while events are published that nobody waits for.
func (b *bench) measureElsewhere(ctx context.Context, s *subject, r *goredis.Client, m *measurement) error {
	var err error
	if s.unused, err = s.usage(); err != nil {
		return err
	}
	c := &crowd{subject: s, measurement: m}
	defer c.leave()
	for i := range m.Waiters {
		c.clients = append(c.clients, &client{subject: s, id: fmt.Sprint("waited-", i), cursor: "0.000000"})
	}
	if err := c.poll(ctx); err != nil {
		return err
	}
	if err := b.idle(ctx, []*crowd{c}, ""); err != nil {
		return err
	}
	publishing, stop := context.WithCancel(ctx)
	defer stop()
	var published int
	var failed error
	var elsewhere sync.WaitGroup
	start := time.Now()
	elsewhere.Go(func() { published, failed = publishElsewhere(publishing, r, perSecondElsewhere) })
	err = b.idle(ctx, []*crowd{c}, "_elsewhere")
	stop()
	elsewhere.Wait()
	m.add("elsewhere", float64(published)/time.Since(start).Seconds())
	return cmp.Or(err, failed)
}
