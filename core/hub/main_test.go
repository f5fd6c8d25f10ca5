package hub_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"novcomet/core/event"
	"novcomet/core/hub"
	"novcomet/core/internal/coretest"
	"novcomet/core/metrics"
	"novcomet/core/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Time in these tests is that of a synctest bubble. It starts on a whole second, and all durations are exact.

const lag = coretest.Lag

// fixture is a hub in a bubble.
type fixture struct {
	*testing.T
	*hub.Hub
	metrics *metrics.Metrics
	logged  func() []string
	running sync.WaitGroup
}

var limits = hub.Limits{MaxData: 1000, MaxAnswerData: 10_000}

// inBubble runs the test with a hub of the store. In the end, all expectations must be met, and no request
// may wait.
func inBubble(t *testing.T, s store.Store, limits hub.Limits, test func(f *fixture)) {
	synctest.Test(t, func(t *testing.T) {
		log, logged := coretest.RecordLog()
		f := &fixture{T: t, metrics: &metrics.Metrics{}, logged: logged}
		f.Hub = hub.New(s, limits, f.metrics, log)
		test(f)
		f.running.Wait()
		f.Close()
		<-f.Ended()
		if m := f.metrics.Snapshot(); m.Waiting != 0 || m.Events != 0 {
			t.Errorf("%d requests and %d events are left", m.Waiting, m.Events)
		}
	})
}

// waiting is a request that waits.
type waiting struct {
	hub.Waiter
	result chan *hub.Result
}

func (w *waiting) Deliver(r *hub.Result) { w.result <- r }

func (f *fixture) wait(request string) *waiting {
	w := &waiting{result: make(chan *hub.Result, 1)}
	f.Wait(&w.Waiter, parse(request), w)
	return w
}

// ask returns the result of a request as text.
func (f *fixture) ask(request string) string { return text(<-f.wait(request).result) }

// expect sends a request at a time, and expects this result at another. Times are relative to the start.
func (f *fixture) expect(sent time.Duration, request, result string, delivered time.Duration) {
	f.running.Go(func() {
		time.Sleep(time.Until(coretest.Start.Add(sent)))
		got := f.ask(request)
		if after := since(); got != coretest.Times(result) || after != delivered {
			f.Errorf("%s, sent after %v:\n got %s after %v\nwant %s after %v", request, sent, got, after,
				coretest.Times(result), delivered)
		}
	})
}

func since() time.Duration { return time.Since(coretest.Start) }

func at(seconds float64) time.Time {
	return coretest.Start.Add(time.Duration(seconds * float64(time.Second)))
}

// after calls f so many seconds after the start.
func after(seconds float64, f func()) { time.AfterFunc(time.Until(at(seconds)), f) }

// parse reads a request like "a=now b={-5} data wait=20s pause=1s". The last three and "lines" are options;
// the others are cursors.
func parse(text string) hub.Request {
	request := hub.Request{Wait: time.Minute, Pause: 2 * time.Second}
	for _, field := range strings.Fields(coretest.Times(text)) {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "wait":
			request.Wait = coretest.Must(time.ParseDuration(value))
		case "pause":
			request.Pause = coretest.Must(time.ParseDuration(value))
		case "data":
			request.Data = event.JSON
		case "lines":
			request.Data = event.Lines
		default:
			cursor := coretest.Must(event.ParseCursor(value))
			request.Precise = request.Precise || cursor.IsPrecise()
			request.Subscriptions = append(request.Subscriptions,
				event.Subscription{ID: coretest.MustID(name), Cursor: cursor})
		}
	}
	return request
}

// text returns a result like "a={1.5} next a={1.5} b=now", or "unchanged".
func text(r *hub.Result) string {
	var fields []string
	for _, e := range r.Changed {
		stamp := fmt.Sprint(e.Stamp.Second())
		if r.Cursors != nil {
			stamp = e.Stamp.String()
		}
		fields = append(fields, e.ID.String()+"="+stamp+string(e.Data))
	}
	if fields == nil {
		fields = []string{"unchanged"}
	}
	if r.Cursors != nil {
		fields = append(fields, "next")
	}
	for _, s := range r.Cursors {
		fields = append(fields, s.ID.String()+"="+s.Cursor.String())
	}
	return strings.Join(fields, " ")
}
