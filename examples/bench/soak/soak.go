package soak

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"novcomet/core/servertest"
	"novcomet/examples/internal/launch"
)

// Options say what is run. Server, Store, Pages and Time are needed.
type Options struct {
	Server   launch.Server
	Store    string        // one of Stores
	Pages    int           // at least 2; every second one is a legacy page
	Time     time.Duration // how long the others publish and disturb
	Slack    time.Duration // how much later than promised an answer may come, because the machine is busy
	Disturb  []string      // kinds of disturbances, or "all"; by default only those that must affect no page
	Seed     uint64        // chooses the disturbances
	Previous string        // the path of an earlier comet-fcgi, which takes turns with this one
	// Usage, if not nil, measures a process before the pages and after them, which can take a minute.
	Usage func(pid int) (Usage, error)
}

// Polls and streams are short, so that some of them end unchanged.
const (
	tries     = 5
	sleep     = 2 * time.Second
	streamEnd = 30 * time.Second
)

// Run starts the server, soaks it and judges it. Every second it calls show with its progress. An error means
// that the soak itself was not possible; the report says whether something was missed.
func Run(ctx context.Context, o Options, show func(string)) (_ *Report, _ *History, failed error) {
	h := &Host{}
	defer h.Close()
	defer RecoverFatal(&failed)
	s := &soak{options: o, events: newEvents(o.Pages), failures: map[string]int{}}
	if err := s.start(ctx, h); err != nil {
		return nil, nil, err
	}
	if err := s.run(ctx, show); err != nil {
		return nil, nil, err
	}
	report := s.history.judge()
	s.complete(report)
	report.Log = s.site.Log()
	if s.ended > 0 {
		report.Problems["comet-fcgi has ended by itself"] = s.ended
	}
	if err := s.site.Stop(); err != nil {
		report.Problems["stopping the server: "+err.Error()]++
	}
	return report, &s.history, nil
}

// start starts the servers, and prepares what the soak does with them.
func (s *soak) start(ctx context.Context, h *Host) (err error) {
	o := s.options
	s.history.Run = settings{
		Slack: toMicros(o.Slack), Sleep: toMicros(sleep), Wait: toMicros(tries * sleep), Age: toMicros(streamEnd),
		Notifies: o.Server.HasDaemon() && o.Store != memcached,
	}
	if err := s.openStore(ctx, h); err != nil {
		return err
	}
	site := launch.Options{
		Server: o.Server, HoldSocket: true,
		Settings: map[string]string{
			"tries": strconv.Itoa(tries), "sleep": sleep.String(), "stream.comment": "5s", "stream.end": streamEnd.String(),
		},
	}
	if strings.HasPrefix(string(o.Server), "apache") {
		// 500 requests at a time (Debian: 150), besides those of processes that a reload has replaced.
		site.Extra = "ServerLimit 60\nThreadLimit 50\nThreadsPerChild 50\nMaxRequestWorkers 500"
	}
	s.store.configure(&site)
	if s.site, err = launch.Start(ctx, site); err != nil {
		return err
	}
	h.Cleanup(func() { s.site.Stop() })
	s.ways = append(s.byURL(), s.store.ways(s.site)...)
	if err := s.installPrevious(); err != nil {
		return err
	}
	if s.disturbances, err = s.chooseDisturbances(); err != nil {
		return err
	}
	address := strings.TrimPrefix(s.site.URL, "http://")
	if slices.ContainsFunc(s.disturbances, func(d disturbance) bool { return d.kind == cut }) {
		s.proxy = servertest.StartProxy(h, address)
		address = s.proxy.Address
	}
	s.endpoint = "http://" + address + "/comet.php"
	return nil
}

// soak is one run.
type soak struct {
	options      Options
	endpoint     string // its URL
	site         *launch.Site
	proxy        *servertest.Proxy // between the pages and the web server
	store        eventStore
	events       events
	ways         []way
	disturbances []disturbance
	history      History
	comet        sync.Mutex // held while something happens to comet-fcgi
	ended        int        // how often comet-fcgi has ended by itself, failed starts excluded
	failedStarts int        // how many the log had when comet-fcgi was last started
	exchanged    int        // how often the releases have changed
	used         [2]Usage   // of comet-fcgi, before the pages and after them

	lastPage, published atomic.Int64

	mu       sync.Mutex // protects the following
	failures map[string]int
}

func (s *soak) run(ctx context.Context, show func(string)) error {
	if err := s.measure(ctx, 0); err != nil {
		return err
	}
	end := time.Now().Add(s.options.Time)
	closePages := s.openPages(ctx, end)
	defer closePages()
	const publishers = 4
	var working sync.WaitGroup
	for range publishers {
		working.Go(func() { s.publishUntil(ctx, end) })
	}
	working.Go(func() { s.disturbUntil(ctx, end) })
	if s.options.Server.HasDaemon() {
		defer s.superviseComet(ctx)()
	}
	for time.Now().Before(end) && launch.Sleep(ctx, time.Second) == nil {
		show(s.progress())
	}
	working.Wait()
	if err := s.waitForLastAnswers(ctx); err != nil {
		return err
	}
	closePages()
	return s.measure(ctx, 1)
}

// openPages opens three quarters of the pages at once and the others later. It returns a function that closes
// them.
func (s *soak) openPages(ctx context.Context, end time.Time) (closePages func()) {
	polling, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for i := range s.options.Pages {
		p := s.newPage(i)
		delay := time.Second
		if i%16 >= 12 { // of all kinds
			delay = time.Until(end) / 2
		}
		running.Go(func() {
			if launch.Sleep(polling, random(delay)) == nil {
				p.run(polling)
			}
		})
	}
	return sync.OnceFunc(func() {
		s.history.finish()
		cancel()
		running.Wait()
	})
}

// waitForLastAnswers waits until every page has everything, or until it is too late for that.
func (s *soak) waitForLastAnswers(ctx context.Context) error {
	longest := s.history.allowed(&pageRecord{Kind: legacy, Ahead: 1}).duration()
	for end := time.Now().Add(longest + sleep); s.history.judge().Never > 0 && time.Now().Before(end); {
		if err := launch.Sleep(ctx, time.Second); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// fail counts an error of the soak itself by its kind.
func (s *soak) fail(what string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures[what+": "+kindOf(err)]++
}

// kindOf returns the text of an error without addresses and queries, which differ from one error to the next.
func kindOf(err error) string {
	for _, text := range []string{"transport connection broken", "unexpected EOF", "connection reset by peer"} {
		if strings.Contains(err.Error(), text) {
			return "the connection was cut"
		}
	}
	if outer := new(url.Error); errors.As(err, &outer) {
		err = outer.Err
	}
	if outer := new(net.OpError); errors.As(err, &outer) {
		return fmt.Sprintf("%s: %v", outer.Op, outer.Err)
	}
	if outer := new(fs.PathError); errors.As(err, &outer) {
		return fmt.Sprintf("%s: %v", outer.Op, outer.Err)
	}
	return strings.TrimSpace(err.Error())
}

func (s *soak) progress() string {
	h := &s.history
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprintf("%s, %d pages: %d publications, %d answers, %d disturbances",
		s.options.Server, len(h.Pages), len(h.Publications), len(h.Polls), len(h.Disturbances))
}
