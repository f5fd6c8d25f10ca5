package core_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

// These tests are section by section the rules of delivery. Time is a synctest bubble's: it starts on a whole second,
// and every duration below is exact.

// start is when a bubble's time begins.
var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// step is what happens during a poll, at a time after its arrival.
type step struct {
	at      time.Duration
	publish string        // an event's id
	touched time.Duration // where not 0: the stamp it gets, after the start
	deleted bool
}

// delivery is one poll from its arrival to its answer. All times are from the bubble's start, where they say nothing else.
type delivery struct {
	contract string
	before   map[string]time.Duration // when the events were last published; others never were
	arrives  time.Duration
	query    string // in which {x} is the second, and {x.y} the stamp, x seconds from the start
	tries    int    // of 1 s each; 0: 20
	timing   core.Timing
	steps    []step
	answer   string // in which {…} is the same
	after    time.Duration
}

const lag = 20 * time.Millisecond

func TestAWholeSecondPoll(t *testing.T) {
	deliver(t, []delivery{{
		contract: "is answered at once when the stamp's second is later than T",
		before:   map[string]time.Duration{"a": -5 * time.Second}, query: "subscribed[a]={-6}",
		answer: `{"s":1,"k":{"a":{-5}}}`,
	}, {
		contract: "is not answered when the stamp's second is T",
		before:   map[string]time.Duration{"a": -5 * time.Second}, query: "subscribed[a]={-5}",
		answer: `{"s":0}`, after: 20 * time.Second,
	}, {
		contract: "is not answered when there is no such event",
		query:    "subscribed[a]={-5}",
		answer:   `{"s":0}`, after: 20 * time.Second,
	}, {
		contract: "tells of all changed events, in the order asked",
		before:   map[string]time.Duration{"a": -5 * time.Second, "b": -4 * time.Second, "c": -9 * time.Second},
		query:    "subscribed[b]={-9}&subscribed[c]={-9}&subscribed[a]={-9}",
		answer:   `{"s":1,"k":{"b":{-4},"a":{-5}}}`,
	}, {
		contract: "with a negative T is told of any publication there ever was",
		before:   map[string]time.Duration{"a": -999999 * time.Second}, query: "subscribed[a]=-1&subscribed[b]=-1",
		answer: `{"s":1,"k":{"a":{-999999}}}`,
	}, {
		contract: "with T 0 waits from now",
		before:   map[string]time.Duration{"a": -time.Second}, query: "subscribed[a]=0",
		steps:  []step{{at: 1500 * time.Millisecond, publish: "a"}},
		answer: `{"s":1,"k":{"a":{1}}}`, after: 2*time.Second + lag,
	}, {
		contract: "with T 0 is not told of what was published in the second of its arrival, before it",
		before:   map[string]time.Duration{"a": 100 * time.Millisecond}, arrives: 500 * time.Millisecond, query: "subscribed[a]=0",
		answer: `{"s":0}`, after: 20 * time.Second,
	}, {
		contract: "is told of a publication in the very second of T, which comet.php lost",
		before:   map[string]time.Duration{"a": 100 * time.Millisecond}, arrives: 200 * time.Millisecond, query: "subscribed[a]={0}",
		steps:  []step{{at: 300 * time.Millisecond, publish: "a"}},
		answer: `{"s":1,"k":{"a":{0}}}`, after: time.Second + lag - 200*time.Millisecond + 180*time.Millisecond,
	}, {
		contract: "is told of a first publication in the very second of T",
		arrives:  200 * time.Millisecond, query: "subscribed[a]={0}",
		steps:  []step{{at: 300 * time.Millisecond, publish: "a"}},
		answer: `{"s":1,"k":{"a":{0}}}`, after: time.Second,
	}, {
		contract: "is answered when the stamp changed to an earlier one while it waited",
		before:   map[string]time.Duration{"a": -5 * time.Second}, query: "subscribed[a]={-5}",
		steps:  []step{{at: 500 * time.Millisecond, publish: "a", touched: -60 * time.Second}},
		answer: `{"s":1,"k":{"a":{-60}}}`, after: time.Second,
	}, {
		contract: "is not answered when the event is deleted, but when it is there again",
		before:   map[string]time.Duration{"a": -5 * time.Second}, query: "subscribed[a]={-5}",
		steps:  []step{{at: 500 * time.Millisecond, publish: "a", deleted: true}, {at: 4200 * time.Millisecond, publish: "a"}},
		answer: `{"s":1,"k":{"a":{4}}}`, after: 5*time.Second + lag,
	}, {
		contract: "whose clock is far ahead is answered with what was published in the last 5 s",
		before:   map[string]time.Duration{"a": -5 * time.Second}, query: "subscribed[a]={600}",
		answer: `{"s":1,"k":{"a":{-5}}}`,
	}, {
		contract: "whose clock is far ahead is not answered with what is older",
		before:   map[string]time.Duration{"a": -5001 * time.Millisecond}, query: "subscribed[a]={600}",
		answer: `{"s":0}`, after: 20 * time.Second,
	}, {
		contract: "whose clock is far ahead is told of what is published while it waits",
		query:    "subscribed[a]={600}",
		steps:    []step{{at: 2500 * time.Millisecond, publish: "a"}},
		answer:   `{"s":1,"k":{"a":{2}}}`, after: 3*time.Second + lag,
	}, {
		contract: "whose clock is 2 s ahead is not taken for wrong",
		before:   map[string]time.Duration{"a": -4 * time.Second}, query: "subscribed[a]={2}", tries: 10,
		answer: `{"s":0}`, after: 10 * time.Second,
	}, {
		contract: "that saw a stamp far ahead does not see it again and again",
		before:   map[string]time.Duration{"a": 600 * time.Second}, query: "subscribed[a]={600}",
		answer: `{"s":0}`, after: 20 * time.Second,
	}, {
		contract: "is answered at once with a stamp far ahead, for that second will not come soon",
		before:   map[string]time.Duration{"a": 600 * time.Second}, query: "subscribed[a]={-1}",
		answer: `{"s":1,"k":{"a":{600}}}`,
	}, {
		contract: "is told when a stamp far ahead is left behind",
		before:   map[string]time.Duration{"a": 600 * time.Second}, query: "subscribed[a]={600}",
		steps:  []step{{at: 500 * time.Millisecond, publish: "a", touched: 500 * time.Millisecond}},
		answer: `{"s":1,"k":{"a":{0}}}`, after: time.Second + lag,
	}})
}

func TestAWholeSecondAnswerIsHeldUntilTheSecondsItsClientGoesByAreOver(t *testing.T) {
	deliver(t, []delivery{{
		contract: "the current second of an event in it",
		before:   map[string]time.Duration{"a": 300 * time.Millisecond}, arrives: 400 * time.Millisecond, query: "subscribed[a]={-5}",
		answer: `{"s":1,"k":{"a":{0}}}`, after: 600*time.Millisecond + lag,
	}, {
		contract: "a second that has been over for less than the clock's lag",
		before:   map[string]time.Duration{"a": 300 * time.Millisecond}, arrives: 1005 * time.Millisecond, query: "subscribed[a]={-5}",
		answer: `{"s":1,"k":{"a":{0}}}`, after: 15 * time.Millisecond,
	}, {
		contract: "not one that is over",
		before:   map[string]time.Duration{"a": 300 * time.Millisecond}, arrives: 1020 * time.Millisecond, query: "subscribed[a]={-5}",
		answer: `{"s":1,"k":{"a":{0}}}`,
	}, {
		contract: "a second 2 s ahead",
		before:   map[string]time.Duration{"a": 2 * time.Second}, arrives: 0, query: "subscribed[a]={-5}",
		answer: `{"s":1,"k":{"a":{2}}}`, after: 3*time.Second + lag,
	}, {
		contract: "a second 5 s ahead, which somebody has set",
		before:   map[string]time.Duration{"a": 5 * time.Second}, arrives: 0, query: "subscribed[a]={-5}",
		answer: `{"s":1,"k":{"a":{5}}}`, after: 6*time.Second + lag,
	}, {
		contract: "not one 6 s ahead",
		before:   map[string]time.Duration{"a": 6 * time.Second}, arrives: 0, query: "subscribed[a]={-5}",
		answer: `{"s":1,"k":{"a":{6}}}`,
	}, {
		contract: "not T 3 s ahead",
		arrives:  0, query: "subscribed[a]={3}&wait=0",
		answer: `{"s":0}`,
	}, {
		contract: "T of an event that is not in it",
		before:   map[string]time.Duration{"a": -4 * time.Second}, arrives: 400 * time.Millisecond, query: "subscribed[a]={-5}&subscribed[b]={0}",
		answer: `{"s":1,"k":{"a":{-4}}}`, after: 600*time.Millisecond + lag,
	}, {
		contract: "T up to 2 s ahead, a rounded or slightly wrong clock's",
		before:   map[string]time.Duration{"a": -4 * time.Second}, query: "subscribed[a]={-5}&subscribed[b]={2}",
		answer: `{"s":1,"k":{"a":{-4}}}`, after: 3*time.Second + lag,
	}, {
		contract: "T also where nothing changed",
		arrives:  100 * time.Millisecond, query: "subscribed[a]={1}", tries: 1,
		answer: `{"s":0}`, after: 1900*time.Millisecond + lag,
	}, {
		contract: "not T 0, which is no second that the client will send",
		arrives:  100 * time.Millisecond, query: "subscribed[a]=0&wait=0.2",
		answer: `{"s":0}`, after: 200 * time.Millisecond,
	}, {
		contract: "a T that comes near only while it is held",
		before:   map[string]time.Duration{"a": 300 * time.Millisecond}, arrives: 400 * time.Millisecond, query: "subscribed[a]={-5}&subscribed[b]={3}",
		answer: `{"s":1,"k":{"a":{0}}}`, after: 4*time.Second + lag - 400*time.Millisecond,
	}, {
		contract: "everything that changed by then goes along",
		before:   map[string]time.Duration{"a": 300 * time.Millisecond}, arrives: 400 * time.Millisecond, query: "subscribed[b]={-9}&subscribed[a]={-5}",
		steps:  []step{{at: 100 * time.Millisecond, publish: "b"}, {at: 200 * time.Millisecond, publish: "a"}},
		answer: `{"s":1,"k":{"b":{0},"a":{0}}}`, after: 600*time.Millisecond + lag,
	}, {
		contract: "what changes after that second is left to the next poll",
		before:   map[string]time.Duration{"a": 300 * time.Millisecond}, arrives: 400 * time.Millisecond, query: "subscribed[b]={-9}&subscribed[a]={-5}",
		steps:  []step{{at: 605 * time.Millisecond, publish: "b"}, {at: 606 * time.Millisecond, publish: "a"}},
		answer: `{"s":1,"k":{"a":{0}}}`, after: 600*time.Millisecond + lag,
	}, {
		contract: "it is not held for ever by T that are always just ahead",
		query:    "subscribed[a]={0}&subscribed[b]={2}&subscribed[c]={4}&subscribed[d]={6}&subscribed[e]={8}&subscribed[f]={10}&wait=0",
		answer:   `{"s":0}`, after: 8 * time.Second,
	}})
}

func TestAPrecisePoll(t *testing.T) {
	deliver(t, []delivery{{
		contract: "is answered at once when the stamp differs from its cursor",
		before:   map[string]time.Duration{"a": 300 * time.Millisecond}, arrives: 400 * time.Millisecond, query: "subscribed[a]={0.2}",
		answer: `{"s":1,"k":{"a":{0.3}},"at":{"a":"{0.3}"}}`,
	}, {
		contract: "is answered also when the stamp is earlier than its cursor",
		before:   map[string]time.Duration{"a": -300 * time.Second}, query: "subscribed[a]={0.2}",
		answer: `{"s":1,"k":{"a":{-300.0}},"at":{"a":"{-300.0}"}}`,
	}, {
		contract: "is not answered when the stamp is its cursor",
		before:   map[string]time.Duration{"a": 300 * time.Millisecond}, arrives: 400 * time.Millisecond, query: "subscribed[a]={0.3}",
		answer: `{"s":0,"at":{"a":"{0.3}"}}`, after: 20 * time.Second,
	}, {
		contract: "is not answered when the event is gone, and keeps its cursor",
		query:    "subscribed[a]={0.3}", arrives: 400 * time.Millisecond,
		answer: `{"s":0,"at":{"a":"{0.3}"}}`, after: 20 * time.Second,
	}, {
		contract: "with the cursor of an event never published is told of its first publication",
		query:    "subscribed[a]=0.000000",
		steps:    []step{{at: 1500 * time.Millisecond, publish: "a"}},
		answer:   `{"s":1,"k":{"a":{1.5}},"at":{"a":"{1.5}"}}`, after: 2 * time.Second,
	}, {
		contract: "with now and wait=0 has its cursors at once",
		before:   map[string]time.Duration{"a": -300 * time.Second}, query: "subscribed[a]=now&subscribed[b]=now&wait=0",
		answer: `{"s":0,"at":{"a":"{-300.0}","b":"0.000000"}}`,
	}, {
		contract: "with now waits for what differs from what it found",
		before:   map[string]time.Duration{"a": -300 * time.Second}, query: "subscribed[a]=now&subscribed[b]=now",
		steps:  []step{{at: 1500 * time.Millisecond, publish: "b"}},
		answer: `{"s":1,"k":{"b":{1.5}},"at":{"a":"{-300.0}","b":"{1.5}"}}`, after: 2 * time.Second,
	}, {
		contract: "treats a whole-second T as: at or after",
		before:   map[string]time.Duration{"a": 300 * time.Millisecond}, arrives: 400 * time.Millisecond, query: "subscribed[a]={0}&subscribed[b]=now",
		answer: `{"s":1,"k":{"a":{0.3}},"at":{"a":"{0.3}","b":"0.000000"}}`,
	}, {
		contract: "gives a whole-second T back as it is while nothing is at or after it",
		before:   map[string]time.Duration{"a": -300 * time.Millisecond}, arrives: 400 * time.Millisecond, query: "subscribed[a]={0}&subscribed[b]=now", tries: 1,
		answer: `{"s":0,"at":{"a":"{0}","b":"0.000000"}}`, after: time.Second,
	}, {
		contract: "treats T 0 as now",
		before:   map[string]time.Duration{"a": -300 * time.Millisecond}, arrives: 400 * time.Millisecond, query: "subscribed[a]=0&subscribed[b]=now", tries: 1,
		answer: `{"s":0,"at":{"a":"{-0.3}","b":"0.000000"}}`, after: time.Second,
	}, {
		contract: "is not held, whatever the second",
		before:   map[string]time.Duration{"a": 1900 * time.Millisecond}, arrives: 400 * time.Millisecond, query: "subscribed[a]=0.0",
		answer: `{"s":1,"k":{"a":{1.9}},"at":{"a":"{1.9}"}}`,
	}, {
		contract: "is held for a microsecond, if it could share that with a later publication",
		before:   map[string]time.Duration{"a": 400 * time.Millisecond}, arrives: 400 * time.Millisecond, query: "subscribed[a]=0.0",
		answer: `{"s":1,"k":{"a":{0.4}},"at":{"a":"{0.4}"}}`, after: time.Microsecond,
	}})
}

func TestWhereStampsAreCoarse(t *testing.T) {
	coarse := core.Timing{Settle: 10 * time.Millisecond, Lag: lag}
	deliver(t, []delivery{{
		contract: "an answer waits until its newest stamp is 10 ms old", timing: coarse,
		before: map[string]time.Duration{"a": 400 * time.Millisecond}, arrives: 404 * time.Millisecond, query: "subscribed[a]=0.0",
		answer: `{"s":1,"k":{"a":{0.4}},"at":{"a":"{0.4}"}}`, after: 6 * time.Millisecond,
	}, {
		contract: "a later stamp within that time is left to the next poll", timing: coarse,
		before: map[string]time.Duration{"a": 400 * time.Millisecond}, arrives: 404 * time.Millisecond, query: "subscribed[a]=0.0",
		steps:  []step{{at: 4 * time.Millisecond, publish: "a"}},
		answer: `{"s":1,"k":{"a":{0.4}},"at":{"a":"{0.4}"}}`, after: 6 * time.Millisecond,
	}, {
		contract: "a stamp that on arrival is younger counts as unseen: it may have come later", timing: coarse,
		before: map[string]time.Duration{"a": 400 * time.Millisecond}, arrives: 404 * time.Millisecond, query: "subscribed[a]=now&wait=0",
		answer: `{"s":1,"k":{"a":{0.4}},"at":{"a":"{0.4}"}}`, after: 6 * time.Millisecond,
	}, {
		contract: "the same for a whole-second poll in the second of its T", timing: coarse,
		before: map[string]time.Duration{"a": 400 * time.Millisecond}, arrives: 404 * time.Millisecond, query: "subscribed[a]={0}",
		answer: `{"s":1,"k":{"a":{0}}}`, after: 596*time.Millisecond + lag,
	}, {
		contract: "a stamp older than the clock's lag was there", timing: coarse,
		before: map[string]time.Duration{"a": 400 * time.Millisecond}, arrives: 420 * time.Millisecond, query: "subscribed[a]=now&wait=0",
		answer: `{"s":0,"at":{"a":"{0.4}"}}`,
	}})
}

// As with memcached: each machine that publishes has a clock of its own, 1 s apart at most, and needs up to 200 ms to store a stamp.
func TestWhereEachPublisherHasAClockOfItsOwn(t *testing.T) {
	apart := core.Timing{Lag: 1200 * time.Millisecond, Lead: time.Second}
	deliver(t, []delivery{{
		contract: "now counts as new what is younger than the clocks may lag", timing: apart,
		before: map[string]time.Duration{"a": -1199 * time.Millisecond}, query: "subscribed[a]=now&wait=0",
		answer: `{"s":1,"k":{"a":{-1.199}},"at":{"a":"{-1.199}"}}`,
	}, {
		contract: "now knows what is older", timing: apart,
		before: map[string]time.Duration{"a": -1200 * time.Millisecond}, query: "subscribed[a]=now&wait=0",
		answer: `{"s":0,"at":{"a":"{-1.2}"}}`,
	}, {
		contract: "a cursor knows what it was told, however young", timing: apart,
		before: map[string]time.Duration{"a": -100 * time.Millisecond}, query: "subscribed[a]={-0.1}&wait=0",
		answer: `{"s":0,"at":{"a":"{-0.1}"}}`,
	}})
}

func deliver(t *testing.T, deliveries []delivery) {
	for _, d := range deliveries {
		t.Run(strings.ReplaceAll(d.contract, " ", "_"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { d.run(t) })
		})
	}
}

func (d delivery) run(t *testing.T) {
	store := newMemory()
	if d.timing != (core.Timing{}) {
		store.timing = d.timing
	}
	for name, at := range d.before {
		store.set(t, name, start.Add(at))
	}
	time.Sleep(d.arrives)
	arrival := time.Now()
	go func() {
		for _, s := range d.steps {
			time.Sleep(time.Until(arrival.Add(s.at)))
			switch {
			case s.deleted:
				store.set(t, s.publish, time.Time{})
			case s.touched != 0:
				store.set(t, s.publish, start.Add(s.touched))
			default:
				store.set(t, s.publish, time.Now())
			}
		}
	}()
	tries := d.tries
	if tries == 0 {
		tries = 20
	}
	endpoint := core.NewEndpoint(store, core.Settings{Tries: tries, Sleep: time.Second})
	_, body := ask(t, endpoint, withTimes(d.query))
	after := time.Since(arrival)
	if want := withTimes(d.answer); body != want || after != d.after {
		t.Errorf("answered %s after %v\n    want %s after %v", body, after, want, d.after)
	}
	time.Sleep(time.Hour) // The steps end in the bubble, too.
}

var secondsInBraces = regexp.MustCompile(`\{-?[0-9.]+\}`)

// withTimes puts times in the place of {x} and {x.y}.
func withTimes(text string) string {
	return secondsInBraces.ReplaceAllStringFunc(text, func(braced string) string {
		return timeOf(strings.Trim(braced, "{}"))
	})
}

func timeOf(seconds string) string {
	offset, err := time.ParseDuration(seconds + "s")
	if err != nil {
		panic(err)
	}
	at := start.Add(offset)
	if strings.Contains(seconds, ".") {
		return core.StampOf(at).String()
	}
	return fmt.Sprint(at.Unix())
}
