package core_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
	"novcomet/core/access"
	"novcomet/core/internal/coretest"
)

func TestLocation_SleepsAtLeast10ms(t *testing.T) {
	for _, test := range []struct {
		location core.Location
		wait     time.Duration
	}{
		{core.Location{}, 0},
		{core.Location{Tries: -1, Sleep: time.Second}, 0},
		{core.Location{Tries: 3}, 30 * time.Millisecond},
		{core.Location{Tries: 3, Sleep: -time.Second}, 30 * time.Millisecond},
		{core.Location{Tries: 3, Sleep: time.Millisecond}, 30 * time.Millisecond},
		{core.Location{Tries: 3, Sleep: 11 * time.Millisecond}, 33 * time.Millisecond},
	} {
		if got := test.location.Wait(); got != test.wait {
			t.Errorf("%+v: Wait is %v; want %v", test.location, got, test.wait)
		}
		synctest.Test(t, func(t *testing.T) {
			store := coretest.NewMemory()
			ask(t, newEndpoint(store, test.location), "subscribed[a]=0.000000&wait=1") // A query can only shorten the wait.
			after, checks := time.Since(coretest.Start), len(store.Checks())
			if after != test.wait || checks != max(test.location.Tries, 0)+1 {
				t.Errorf("%+v: answered after %v and %d checks; want %v, and one check more than tries",
					test.location, after, checks, test.wait)
			}
		})
	}
}

func TestWithLocation_ReplacesTheLocationOfTheEndpoint(t *testing.T) {
	endpoint := withAccess(access.Rules{Publish: patterns()})
	mine := &core.Location{Access: access.Rules{Publish: patterns("<user>")}}
	for _, test := range []struct {
		context func(context.Context) context.Context
		status  int
	}{
		{func(ctx context.Context) context.Context { return ctx }, 403},
		{func(ctx context.Context) context.Context {
			return core.WithLocation(ctx, mine, core.Client{User: "ann"})
		}, 200},
		{func(ctx context.Context) context.Context {
			return core.WithLocation(ctx, mine, core.Client{User: "bob"})
		}, 403},
		{func(ctx context.Context) context.Context { return core.WithLocation(ctx, mine, core.Client{}) }, 403},
	} {
		r := httptest.NewRequestWithContext(test.context(t.Context()), http.MethodGet, "/?publish=ann", nil)
		if status, body := send(t, endpoint, r); status != test.status {
			t.Errorf("HTTP %d %s; want %d", status, body, test.status)
		}
	}
}

func TestLocation_ReplacedEndsEachStreamWithItsNextPart(t *testing.T) {
	memory := coretest.NewMemory()
	replaced := new(atomic.Bool)
	inBubble(t, memory, core.Options{Location: core.Location{Replaced: replaced}}, func(g *group) {
		g.poll(0, "subscribed[b]=now", `{"s":1,"k":{"b":{5.5}},"at":{"b":"{5.5}"}}`, 6*time.Second)
		quiet, busy := g.open("subscribed[a]=now"), g.open("subscribed[b]=now")
		time.Sleep(time.Second)
		replaced.Store(true)
		time.Sleep(4500 * time.Millisecond)
		memory.Set("b", time.Now())
		time.Sleep(time.Second)
		g.expect(busy, ended, "0s id: 0.000000",
			`6s event: b|data: {"s":1,"k":{"b":{5.5}},"at":{"b":"{5.5}"}}|id: {5.5}`)
		g.expect(quiet, open, "0s id: 0.000000")
		time.Sleep(14500 * time.Millisecond)
		g.expect(quiet, ended, "20s :")
	})
}

// With the new settings, visitors may be allowed to publish what a page would insert as HTML.
func TestLocation_ReplacedWithholdsEventsInAFormat(t *testing.T) {
	memory := coretest.NewMemory()
	location := formatted
	location.Replaced = new(atomic.Bool)
	inBubble(t, memory, core.Options{Location: location}, func(g *group) {
		memory.Set("b", coretest.Start.Add(-time.Hour))
		const query = "subscribed[a]=now&subscribed[b]=now&subscribed[c]=now&format=raw"
		r := g.open(query)
		g.expect(r, open, "0s id: 0.000000,{-3600.0},0.000000")
		time.Sleep(time.Second)
		location.Replaced.Store(true)
		memory.SetData("b", "<script>")
		memory.Set("b", time.Now())
		time.Sleep(2 * time.Second)
		g.expect(r, ended, "2s id: 0.000000,{-3600.0},0.000000") // It resumes before the event.
		const mixed = "subscribed[a]=now&subscribed[b]=0.0&subscribed[c]=now&format=turbo"
		g.expect(g.open(mixed), ended, "3s id: 0.000000,0.000000,0.000000")
	})
}
