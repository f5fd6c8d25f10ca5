package core_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

// Each of these is about polls that come, go and wait together, where one could be answered with what was meant for another.

// group asks several polls of one endpoint, in a bubble.
type group struct {
	*testing.T
	endpoint *core.Endpoint
	polls    sync.WaitGroup
}

// expects asks at a time, and wants an answer at another; both are after the start.
func (g *group) expects(asked time.Duration, query, answer string, answered time.Duration) {
	g.polls.Go(func() {
		time.Sleep(time.Until(start.Add(asked)))
		_, body := ask(g, g.endpoint, withTimes(query))
		if after := time.Since(start); body != withTimes(answer) || after != answered {
			g.Errorf("%s asked after %v: %s after %v; want %s after %v", query, asked, body, after, withTimes(answer), answered)
		}
	})
}

func together(t *testing.T, store core.Store, test func(g *group)) {
	synctest.Test(t, func(t *testing.T) {
		g := &group{T: t, endpoint: core.NewEndpoint(store, core.Settings{Tries: 30, Sleep: 2 * time.Second})}
		g.endpoint.Log = discard
		defer g.endpoint.Close()
		test(g)
		g.polls.Wait()
		if n := g.endpoint.Waiting(); n != 0 {
			t.Errorf("%d polls are still there", n)
		}
	})
}

func TestAPollThatComesDuringALookIsLookedAtWithAllItsEvents(t *testing.T) {
	store := newMemory()
	store.slow = time.Second
	together(t, store, func(g *group) {
		store.set(t, "y", start.Add(-time.Hour))
		time.AfterFunc(500*time.Millisecond, func() { store.set(t, "x", start.Add(500*time.Millisecond)) })
		g.expects(0, "subscribed[x]=0.0", `{"s":1,"k":{"x":{0.5}},"at":{"x":"{0.5}"}}`, time.Second)
		g.expects(700*time.Millisecond, "subscribed[x]=now&subscribed[y]=now&wait=5",
			`{"s":0,"at":{"x":"{0.5}","y":"{-3600.0}"}}`, 6700*time.Millisecond)
	})
}

// slowly reads the clock first, as Files does, and then takes its time.
type slowly struct {
	*memory
	takes time.Duration
}

func (s slowly) Stamps(ctx context.Context, ids []core.ID) (core.Snapshot, error) {
	now := core.StampOf(time.Now())
	time.Sleep(s.takes)
	snapshot, err := s.memory.Stamps(ctx, ids)
	snapshot.Now = now
	return snapshot, err
}

func TestAPublicationDuringTheFirstLookIsNotTakenForOneBeforeThePollCame(t *testing.T) {
	store := slowly{newMemory(), 40 * time.Millisecond}
	together(t, store, func(g *group) {
		store.set(t, "a", start.Add(-time.Hour))
		time.AfterFunc(20*time.Millisecond, func() { store.set(t, "a", start.Add(20*time.Millisecond)) })
		g.expects(0, "subscribed[a]={0}&wait=10", `{"s":1,"k":{"a":{0}}}`, time.Second+lag+store.takes)
	})
}

func TestAPublicationBetweenThePollAndItsFirstLookIsNotTakenForOneBeforeItCame(t *testing.T) {
	store := slowly{newMemory(), 40 * time.Millisecond}
	together(t, store, func(g *group) {
		store.set(t, "a", start.Add(-time.Hour))
		g.expects(0, "subscribed[x]=now&wait=1", `{"s":0,"at":{"x":"0.000000"}}`, time.Second+store.takes)
		time.AfterFunc(20*time.Millisecond, func() { store.set(t, "a", start.Add(20*time.Millisecond)) })
		// It comes during the look for the other one, and its answer is ready at the end of a look that begins after 1.04 s.
		g.expects(10*time.Millisecond, "subscribed[a]={0}&wait=10", `{"s":1,"k":{"a":{0}}}`, time.Second+2*store.takes)
	})
}

func TestThatGoesForAPreciseNowToo(t *testing.T) {
	store := slowly{newMemory(), 40 * time.Millisecond}
	together(t, store, func(g *group) {
		store.set(t, "a", start.Add(-time.Hour))
		time.AfterFunc(20*time.Millisecond, func() { store.set(t, "a", start.Add(20*time.Millisecond)) })
		g.expects(0, "subscribed[a]=now&wait=10", `{"s":1,"k":{"a":{0.02}},"at":{"a":"{0.02}"}}`, 2*store.takes)
	})
}

func TestThatGoesForAPublisherWhoseClockIsBehindToo(t *testing.T) {
	store := slowly{newMemory(), 40 * time.Millisecond}
	store.timing = core.Timing{Lag: 1200 * time.Millisecond, Lead: time.Second} // as of memcached
	together(t, store, func(g *group) {
		store.set(t, "a", start.Add(-time.Hour))
		time.AfterFunc(20*time.Millisecond, func() { store.set(t, "a", start.Add(-time.Second)) })
		g.expects(0, "subscribed[a]=now&wait=10", `{"s":1,"k":{"a":{-1.0}},"at":{"a":"{-1.0}"}}`, store.takes)
	})
}

func TestAClockThatIsSetBackKeepsNobodyHeld(t *testing.T) {
	store := newMemory()
	together(t, store, func(g *group) {
		store.set(t, "a", start.Add(300*time.Millisecond))
		time.AfterFunc(500*time.Millisecond, func() { store.setBack(time.Hour) })
		time.Sleep(400 * time.Millisecond)
		if _, body := ask(g, g.endpoint, withTimes("subscribed[a]={-5}")); time.Since(start) > 10*time.Second {
			t.Errorf("%s after %v", body, time.Since(start))
		}
	})
}

func TestAPollThatCameWhileTheStoreWasGoneIsLookedAtWithAllItsEvents(t *testing.T) {
	store := newMemory()
	together(t, store, func(g *group) {
		store.set(t, "x", start.Add(-time.Hour))
		store.set(t, "y", start.Add(-time.Hour))
		store.fail(errors.New("gone"))
		time.AfterFunc(time.Second, func() { store.fail(nil) })
		g.expects(0, "subscribed[x]=now&subscribed[y]=now&wait=10", `{"s":0,"at":{"x":"{-3600.0}","y":"{-3600.0}"}}`, 10*time.Second)
		g.expects(1500*time.Millisecond, "subscribed[x]=0.0", `{"s":1,"k":{"x":{-3600.0}},"at":{"x":"{-3600.0}"}}`, 1500*time.Millisecond)
	})
}

func TestAPollThatCameWhileTheStoreWasGoneIsAnsweredInTheNextRound(t *testing.T) {
	store := newMemory()
	together(t, store, func(g *group) {
		store.set(t, "x", start.Add(-time.Hour))
		g.expects(0, "subscribed[x]=now&wait=20", `{"s":0,"at":{"x":"{-3600.0}"}}`, 20*time.Second)
		time.AfterFunc(500*time.Millisecond, func() { store.fail(errors.New("gone")) })
		time.AfterFunc(3500*time.Millisecond, func() { store.fail(nil) })
		g.expects(time.Second, "subscribed[x]=0.0", `{"s":1,"k":{"x":{-3600.0}},"at":{"x":"{-3600.0}"}}`, 4*time.Second)
	})
}

// The look for another poll's event must not be all that a whole-second answer goes by: T of the other event, sent back,
// would hide its publication for ever.
func TestAWholeSecondPollIsAnsweredAfterALookAtAllItsEvents(t *testing.T) {
	store := newMemory()
	together(t, store, func(g *group) {
		time.AfterFunc(500*time.Millisecond, func() { store.set(t, "b", start.Add(500*time.Millisecond)) })
		time.AfterFunc(700*time.Millisecond, func() { store.set(t, "a", start.Add(700*time.Millisecond)) })
		g.expects(0, "subscribed[a]={0}&subscribed[b]={0}", `{"s":1,"k":{"a":{0},"b":{0}}}`, 1500*time.Millisecond)
		g.expects(1500*time.Millisecond, "subscribed[a]={-9}", `{"s":1,"k":{"a":{0}}}`, 1500*time.Millisecond)
	})
}

// The subscriber was told of second 7 long before it comes. Its poll can't know that, for it comes while the store is gone.
func TestAnAnswerWhileTheStoreIsGoneIsHeldForASecondThatMayHaveBeenSetAhead(t *testing.T) {
	store := newMemory()
	together(t, store, func(g *group) {
		store.set(t, "a", start.Add(7500*time.Millisecond))
		g.expects(0, "subscribed[a]={-5}", `{"s":1,"k":{"a":{7}}}`, 0)
		time.AfterFunc(time.Second, func() { store.fail(errors.New("gone")) })
		time.AfterFunc(4500*time.Millisecond, func() { store.fail(nil) })
		time.AfterFunc(6500*time.Millisecond, func() { store.set(t, "a", start.Add(6500*time.Millisecond)) })
		g.expects(4300*time.Millisecond, "subscribed[a]={7}&wait=0", `{"s":1,"k":{"a":{6}}}`, 8*time.Second+lag)
	})
}

func TestDrainReachesAPollThatIsBeingLookedAt(t *testing.T) {
	store := newMemory()
	store.slow = time.Second
	together(t, store, func(g *group) {
		time.AfterFunc(500*time.Millisecond, g.endpoint.Drain)
		g.expects(0, "subscribed[x]=now", `{"s":0,"at":{"x":"0.000000"}}`, time.Second)
	})
}

// A slow reader of a stream comes for its next part when all that waited at first are gone.
func TestDrainHoldsAPreciseAnswerForItsMilliseconds(t *testing.T) {
	store := newMemory()
	store.timing = core.Timing{Settle: 10 * time.Millisecond, Lag: lag}
	together(t, store, func(g *group) {
		g.endpoint.Drain()
		time.AfterFunc(4500*time.Millisecond, func() { store.set(t, "a", start.Add(4500*time.Millisecond)) })
		g.expects(4503*time.Millisecond, "subscribed[a]=0.0", `{"s":1,"k":{"a":{4.5}},"at":{"a":"{4.5}"}}`, 4510*time.Millisecond)
	})
}

func TestDrainHoldsNobodyForLongerThanItMay(t *testing.T) {
	store := newMemory()
	together(t, store, func(g *group) {
		store.set(t, "ahead", start.Add(5*time.Second))
		time.AfterFunc(500*time.Millisecond, g.endpoint.Drain)
		g.expects(0, "subscribed[ahead]={-5}", `{"s":1,"k":{"ahead":{5}}}`, 4500*time.Millisecond)
		g.expects(0, "subscribed[ahead]={-5}&wait=0", `{"s":1,"k":{"ahead":{5}}}`, 4500*time.Millisecond)
		g.expects(0, "subscribed[a]={2}&subscribed[b]={4}&subscribed[c]={6}", `{"s":0}`, 4500*time.Millisecond)
		g.expects(0, "subscribed[a]={2}&subscribed[b]={4}&wait=0", `{"s":0}`, 4500*time.Millisecond)
		g.expects(time.Second, "subscribed[a]={3}&subscribed[b]={5}", `{"s":0}`, 4500*time.Millisecond)
		g.expects(time.Second, "subscribed[a]={1}", `{"s":0}`, 2*time.Second+lag)
	})
}

func TestWhoeverLeavesTakesNobodyAlong(t *testing.T) {
	for _, leaving := range [][]int{{0}, {1}, {2}, {0, 1}, {1, 0}, {1, 2}, {2, 1}, {0, 2}} {
		store := &telling{memory: newMemory()}
		together(t, store, func(g *group) {
			leave := make([]context.CancelFunc, 3)
			answered := make([]string, 3)
			for i := range answered {
				ctx, cancel := context.WithCancel(g.Context())
				leave[i] = cancel
				defer cancel()
				g.polls.Go(func() {
					w := httptest.NewRecorder()
					g.endpoint.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/?subscribed[a]=now", nil))
					answered[i] = w.Body.String()
				})
				synctest.Wait() // They come one after the other.
			}
			for _, i := range leaving {
				leave[i]()
				synctest.Wait()
				leave[i] = nil
			}
			time.Sleep(100 * time.Millisecond)
			store.happens(t, "a")
			time.Sleep(time.Millisecond)
			synctest.Wait()
			for i, body := range answered {
				if stayed := leave[i] != nil; stayed != strings.Contains(body, `"k"`) {
					t.Errorf("%v left: poll %d is answered %q", leaving, i, body)
				}
			}
			for _, cancel := range leave {
				if cancel != nil {
					defer cancel()
				}
			}
		})
	}
}

func TestAnEventThatNobodyWaitsForAnyMoreIsNotLookedAt(t *testing.T) {
	store := newMemory()
	together(t, store, func(g *group) {
		g.expects(0, "subscribed[a]=now", `{"s":0,"at":{"a":"0.000000"}}`, time.Minute)
		for event, order := range map[string]string{"b": "123", "c": "132", "d": "213", "e": "231", "f": "312", "g": "321"} {
			for i, wait := range order { // They come 10 ms apart, and leave in this order.
				asked, wait := time.Duration(i)*10*time.Millisecond, int(wait-'0')
				g.expects(asked, fmt.Sprintf("subscribed[%s]=now&wait=%d", event, wait),
					fmt.Sprintf(`{"s":0,"at":{"%s":"0.000000"}}`, event), asked+time.Duration(wait)*time.Second)
			}
		}
		time.Sleep(4500 * time.Millisecond)
		before, looks := store.asked.Load(), len(store.looked())
		time.Sleep(40 * time.Second)
		if asked, looks := store.asked.Load()-before, len(store.looked())-looks; asked != int64(looks) {
			t.Errorf("asked for %d events in %d looks; want one each", asked, looks)
		}
	})
}

func TestAHintThatWasWrongDoesNotHideTheNext(t *testing.T) {
	store := &telling{memory: newMemory()}
	together(t, store, func(g *group) {
		time.AfterFunc(100*time.Millisecond, func() { store.tell(mustID(t, "a")) })
		time.AfterFunc(200*time.Millisecond, func() {
			store.set(t, "a", start.Add(150*time.Millisecond))
			store.tell(mustID(t, "a"))
		})
		g.expects(0, "subscribed[a]=now", `{"s":1,"k":{"a":{0.15}},"at":{"a":"{0.15}"}}`, 200*time.Millisecond)
	})
}
