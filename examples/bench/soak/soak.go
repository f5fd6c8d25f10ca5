package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/pkg/errors"

	"novcomet/examples/internal/launch"
)

// Options say what is run. All of them are needed.
type Options struct {
	Server launch.Server
	Pages  int           // at least 2; every second one is a legacy page
	Time   time.Duration // how long the others publish, reload and restart
	Slack  time.Duration // how much later than promised an answer may come, because the machine is busy
}

// The settings of the endpoint. Polls are short, so that some of them end unchanged.
const (
	tries = "5"
	sleep = 2 * time.Second
)

// Run starts the server, soaks it and judges it. Every second it calls show with its progress. An error means
// that the soak itself was not possible; the report says whether something was missed.
func Run(ctx context.Context, o Options, show func(string)) (*Report, error) {
	site, err := launch.Start(ctx, launch.Options{
		Server: o.Server, HoldSocket: true, Extra: apacheThreads[o.Server],
		Settings: map[string]string{"tries": tries, "sleep": sleep.String()},
	})
	if err != nil {
		return nil, err
	}
	defer site.Stop()
	t := target{
		endpoint: site.URL + "/comet.php", directory: site.Events, shell: site.Shell,
		notifies: o.Server.HasDaemon(),
	}
	if o.Server.HasDaemon() {
		t.restart = func(ctx context.Context) error {
			if err := site.StopDaemon(); err != nil {
				return err
			}
			return site.StartDaemon(ctx)
		}
	}
	if o.Server.Reloads() {
		t.reload = site.Reload
	}
	report, err := t.soak(ctx, o, show)
	if err != nil {
		return nil, err
	}
	report.Log = site.Log()
	if err := site.Stop(); err != nil {
		report.Errors["stopping the server: "+err.Error()]++
	}
	return report, nil
}

// apacheThreads lets Apache serve 500 requests at a time (Debian: 150), besides the processes of earlier
// reloads, which end with their last poll.
var apacheThreads = map[launch.Server]string{
	launch.ApacheCGI: threads, launch.ApacheProxy: threads, launch.ApacheFcgid: threads,
}

const threads = "ServerLimit 60\nThreadLimit 50\nThreadsPerChild 50\nMaxRequestWorkers 500"

// target is what is soaked.
type target struct {
	endpoint  string                                         // its URL
	directory string                                         // of the events
	shell     func(ctx context.Context, script string) error // runs a script in the directory
	restart   func(context.Context) error                    // nil: there is no comet-fcgi to restart
	reload    func() error                                   // nil: a reload may lose a request
	notifies  bool                                           // a change is always noticed at once
}

// soak is one run.
type soak struct {
	target
	options Options
	events  events
	pages   []*page

	mu           sync.Mutex // protects the following
	publications []publication
	restarts     []gap
	reloads      int
	answers      int
	unchanged    int            // of the answers
	errors       map[string]int // by kind
}

// gap is a time in which a poll cannot be answered.
type gap struct{ from, to time.Time }

func (t target) soak(ctx context.Context, o Options, show func(string)) (*Report, error) {
	s := &soak{target: t, options: o, events: newEvents(o.Pages), errors: map[string]int{}}
	end := time.Now().Add(o.Time)
	closePages := s.openPages(ctx, end)
	defer closePages()
	s.disturb(ctx, end, show)
	if err := s.waitForLastAnswers(ctx); err != nil {
		return nil, err
	}
	closePages()
	return s.judge(), nil
}

// openPages opens three quarters of the pages at once and the others later. It returns a function that closes
// them.
func (s *soak) openPages(ctx context.Context, end time.Time) (closePages func()) {
	polling, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for i := range s.options.Pages {
		p := s.newPage(i)
		s.pages = append(s.pages, p)
		delay := time.Second
		if i%8 >= 6 { // of both kinds
			delay = time.Until(end) / 2
		}
		running.Go(func() {
			defer p.browser.CloseIdleConnections()
			if launch.Sleep(polling, random(delay)) == nil {
				p.run(polling)
			}
		})
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// disturb publishes, reloads and restarts until the end. Every second it shows the progress.
func (s *soak) disturb(ctx context.Context, end time.Time, show func(string)) {
	const publishers = 4
	var working sync.WaitGroup
	defer working.Wait()
	for range publishers {
		working.Go(func() { s.publishUntil(ctx, end) })
	}
	if s.restart != nil {
		working.Go(func() {
			s.repeatUntil(ctx, end, func() {
				from := now()
				if err := s.restart(ctx); err != nil && ctx.Err() == nil {
					s.fail("restarting", err)
				}
				s.mu.Lock()
				defer s.mu.Unlock()
				s.restarts = append(s.restarts, gap{from, now()})
			})
		})
	}
	if s.reload != nil {
		working.Go(func() {
			s.repeatUntil(ctx, end, func() {
				if err := s.reload(); err != nil {
					s.fail("reloading", err)
				}
				s.mu.Lock()
				defer s.mu.Unlock()
				s.reloads++
			})
		})
	}
	for time.Now().Before(end) && launch.Sleep(ctx, time.Second) == nil {
		show(s.progress())
	}
}

// repeatUntil calls f every 1 to 5 s.
func (s *soak) repeatUntil(ctx context.Context, end time.Time, f func()) {
	const least, more = time.Second, 4 * time.Second
	for {
		pause := least + random(more)
		if time.Now().Add(pause).After(end) || launch.Sleep(ctx, pause) != nil {
			return
		}
		f()
	}
}

// waitForLastAnswers waits until every page has everything, or until it is too late for that.
func (s *soak) waitForLastAnswers(ctx context.Context) error {
	var most time.Duration
	for _, p := range s.pages {
		most = max(most, s.allowed(p))
	}
	for end := time.Now().Add(most); s.judge().Never > 0 && time.Now().Before(end); {
		if err := launch.Sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// fail counts an error by its kind.
func (s *soak) fail(what string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errors[what+": "+kindOf(err)]++
}

// kindOf returns the text of an error without addresses and queries, which differ from one error to the next.
func kindOf(err error) string {
	if outer := new(url.Error); errors.As(err, &outer) {
		err = outer.Err
	}
	if outer := new(net.OpError); errors.As(err, &outer) {
		return fmt.Sprintf("%s: %v", outer.Op, outer.Err)
	}
	return err.Error()
}

func (s *soak) progress() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	failed := 0
	for _, n := range s.errors {
		failed += n
	}
	return fmt.Sprintf("%s, %d pages: %d publications, %d answers, %d restarts, %d reloads, %d errors",
		s.options.Server, s.options.Pages, len(s.publications), s.answers, len(s.restarts), s.reloads, failed)
}

// now returns the wall clock without the monotonic one, to compare it with stamps.
func now() time.Time { return time.Now().Round(0) }

// random returns a duration below d.
func random(d time.Duration) time.Duration { return rand.N(max(d, 1)) }
