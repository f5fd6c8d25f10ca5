package soak

import (
	"context"
	"sync"
	"time"

	"novcomet/examples/internal/launch"
)

// Options say what is run; all of them are needed.
type Options struct {
	Server launch.Server
	Pages  int           // how many poll, every second one of them in whole seconds; at least 2
	Time   time.Duration // for how long things happen; the last answers are waited for afterwards
	Slack  time.Duration // how much later than promised an answer may come, because the machine is loaded
}

// The endpoint's settings: as shipped, but for tries, so that polls end unchanged as well.
const (
	tries = "5"
	sleep = 2 * time.Second
)

// Run starts the server, lets everything happen, and judges it. Every second it says how far it is. The error is of what
// could not be tried at all; the report says whether anything was missed.
func Run(ctx context.Context, o Options, say func(string)) (*Report, error) {
	site, err := launch.Start(ctx, launch.Options{
		Server: o.Server, HoldSocket: true, Extra: room[o.Server],
		Settings: map[string]string{"tries": tries, "sleep": sleep.String()},
	})
	if err != nil {
		return nil, err
	}
	defer site.Stop()
	p := place{endpoint: site.URL + "/comet.php", directory: site.Events, shell: site.Shell, tells: o.Server.HasDaemon()}
	if o.Server.HasDaemon() {
		p.restart = func(ctx context.Context) error {
			if err := site.StopDaemon(); err != nil {
				return err
			}
			return site.StartDaemon(ctx)
		}
	}
	if o.Server.Reloads() {
		p.reload = site.Reload
	}
	report, err := p.soak(ctx, o, say)
	if err != nil {
		return nil, err
	}
	report.Log = site.Log()
	if err := site.Stop(); err != nil {
		report.Errors["ending the server: "+err.Error()]++
	}
	return report, nil
}

// room lets Apache hold 500 requests at a time where Debian's mpm_event.conf has 150, and beside them the processes of some
// reloads ago, which end with their last poll.
var room = map[launch.Server]string{launch.ApacheCGI: roomInApache, launch.ApacheProxy: roomInApache, launch.ApacheFcgid: roomInApache}

const roomInApache = "ServerLimit 60\nThreadLimit 50\nThreadsPerChild 50\nMaxRequestWorkers 500"

// place is what is soaked.
type place struct {
	endpoint  string                                         // its URL
	directory string                                         // of the events
	shell     func(ctx context.Context, script string) error // runs a script there
	restart   func(context.Context) error                    // nil where nothing can be restarted
	reload    func() error                                   // nil where nothing can be reloaded
	tells     bool                                           // changes are told at once, and surely
}

// soak is one run.
type soak struct {
	place
	options Options
	events  events
	pages   []*page
	record
}

func (p place) soak(ctx context.Context, o Options, say func(string)) (*Report, error) {
	s := &soak{place: p, options: o, events: newEvents(o.Pages), record: record{errors: map[string]int{}}}
	end := time.Now().Add(o.Time)
	stop := s.open(ctx, end)
	defer stop()
	quiet := s.happen(ctx, end)
	said := time.NewTicker(time.Second)
	defer said.Stop()
	for happening := true; happening; {
		select {
		case <-said.C:
			say(s.progress())
		case <-quiet:
			happening = false
		}
	}
	if err := s.lastAnswers(ctx); err != nil {
		return nil, err
	}
	stop()
	return s.judge(), nil
}

// open lets the pages come, three quarters at once and the rest later, and returns what makes them leave.
func (s *soak) open(ctx context.Context, end time.Time) (stop func()) {
	polling, leave := context.WithCancel(ctx)
	var running sync.WaitGroup
	for i := range s.options.Pages {
		p := s.newPage(i)
		s.pages = append(s.pages, p)
		soon := time.Second
		if i%8 >= 6 { // of both kinds
			soon = time.Until(end) / 2
		}
		running.Go(func() {
			defer p.browser.CloseIdleConnections()
			if wait(polling, random(soon)) == nil {
				p.live(polling)
			}
		})
	}
	return func() {
		leave()
		running.Wait()
	}
}

// happen lets things happen until the end; then it closes quiet.
func (s *soak) happen(ctx context.Context, end time.Time) (quiet <-chan struct{}) {
	const publishers = 4
	var happening sync.WaitGroup
	for range publishers {
		happening.Go(func() { s.publishUntil(ctx, end) })
	}
	if s.restart != nil {
		happening.Go(func() { s.restartUntil(ctx, end) })
	}
	if s.reload != nil {
		happening.Go(func() { s.reloadUntil(ctx, end) })
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		happening.Wait()
	}()
	return done
}

// lastAnswers waits until every page has been told of everything, or until it is too late for that.
func (s *soak) lastAnswers(ctx context.Context) error {
	const again = 100 * time.Millisecond
	var most time.Duration
	for _, p := range s.pages {
		most = max(most, s.bound(p))
	}
	for end := time.Now().Add(most); s.judge().Never > 0 && time.Now().Before(end); {
		if err := wait(ctx, again); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// wait returns an error if the run ends meanwhile.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
