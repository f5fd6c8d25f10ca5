//go:build long

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// survive is for how long; NOVCOMET_SURVIVE sets it (3m).
const survive = 20 * time.Second

// In the promise: how long a client may wait for a publication.
const (
	ownPause  = time.Second
	sleep     = 200 * time.Millisecond
	hold      = 6 * time.Second         // 2 s, but where the second is near to which a file was touched ahead
	slack     = 1500 * time.Millisecond // of a loaded machine
	inTime    = ownPause + sleep + hold + slack
	beginning = 2 * time.Second // A client that has been there for so long misses nothing.
)

// A page written for comet.php lives through whatever happens to the server, and misses no publication.
func TestOldClientsSurviveAndMissNothing(t *testing.T) {
	t.Parallel()
	period := survive
	if s := os.Getenv("NOVCOMET_SURVIVE"); s != "" {
		var err error
		if period, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t)
	until := time.Now().Add(period)
	var clients []*oldClient
	ctx, leave := context.WithCancel(context.Background())
	var running sync.WaitGroup
	join := func(clock time.Duration) {
		ids := append(w.someEvents(4), "never")
		c := newOldClient(fmt.Sprintf("client %d, whose clock is ahead by %v", len(clients), clock), w.path, clock, ids...)
		clients = append(clients, c)
		running.Go(func() { c.run(ctx) })
	}
	for _, clock := range []time.Duration{0, time.Second, -time.Second, 500 * time.Millisecond, -400 * time.Millisecond} {
		join(clock)
	}

	var serving sync.WaitGroup
	serving.Go(func() { w.restart(until) })
	for time.Now().Before(until) {
		w.happen()
		if len(clients) < 12 {
			join(time.Duration(w.random.IntN(2001)-1000) * time.Millisecond)
		}
	}
	serving.Wait()
	<-time.After(inTime)
	leave()
	running.Wait()
	w.judge(clients)
}

// world is the server, and what happens on it.
type world struct {
	t         *testing.T
	random    *rand.Rand
	directory string
	cramped   bool // the directory has a limit of files
	socket    *os.File
	path      string
	program   *program

	published []publication // in their order

	mu       sync.Mutex // protects the following
	restarts []restart
}

type publication struct {
	id     string
	second int64 // of the stamp
	at     time.Time
	how    string
}

// restart is a time in which nobody accepts: connections wait in the backlog.
type restart struct{ from, to time.Time }

func newWorld(t *testing.T) *world {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	w := &world{t: t, random: rand.New(rand.NewPCG(seed, 0)), directory: t.TempDir()}
	const files = "nr_inodes=32,size=1m"
	if err := unix.Mount("novcomet-test", w.directory, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID, files); err != nil {
		t.Logf("a directory that is full is left out: mount: %v", err)
	} else {
		w.cramped = true
		t.Cleanup(func() { _ = unix.Unmount(w.directory, unix.MNT_DETACH) })
	}
	w.socket, w.path = boundSocket(t)
	w.program = w.start()
	return w
}

func (w *world) start() *program {
	return start(w.t, w.directory, arrangement{stdin: w.socket, env: []string{"COMET_TRIES=20", "COMET_SLEEP=" + sleep.String()}})
}

// restart ends comet-fcgi every few seconds and starts it again, as systemd does.
func (w *world) restart(until time.Time) {
	for {
		pause := time.Second + time.Duration(rand.IntN(4000))*time.Millisecond
		if time.Now().Add(pause).After(until) {
			return
		}
		<-time.After(pause)
		from := time.Now()
		if took := w.program.terminate(); took >= 5*time.Second {
			w.t.Errorf("it took %v to end", took)
		}
		if s := w.program.logged(); s != "" {
			w.t.Logf("it said: %s", s)
		}
		w.program = w.start()
		w.mu.Lock()
		w.restarts = append(w.restarts, restart{from, time.Now()})
		w.mu.Unlock()
	}
}

// someEvents are n of ten: so few publications of each that a later one seldom makes good for one that was missed.
func (w *world) someEvents(n int) []string {
	events := strings.Split("abcdefghij", "")
	w.random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	return events[:n]
}

// happen lets one thing happen, and a moment pass.
func (w *world) happen() {
	id := w.someEvents(1)[0]
	switch w.random.IntN(12) {
	case 0, 1:
		w.publishByURL(id)
	case 2, 3:
		w.touch(id, time.Now(), "touch")
	case 4:
		write(w.t, w.file(id), time.Now().String())
		w.note(id, "another program")
	case 5, 6, 7:
		w.burst(id)
	case 8:
		w.touch(id, time.Now().Add(time.Hour), "touch an hour ahead")
		w.moment(2000)
		w.touch(id, time.Now(), "touch back from an hour ahead")
	case 9:
		w.touch(id, time.Now().Add(30*time.Second), "touch 30 s ahead")
		w.publishByURL(id)
	case 10:
		w.remove(id)
	case 11:
		w.fill(id)
	}
	w.moment(1200)
}

func (w *world) moment(most int) {
	<-time.After(time.Duration(w.random.IntN(most)) * time.Millisecond)
}

// burst publishes several times within a second or so.
func (w *world) burst(id string) {
	for range 2 + w.random.IntN(4) {
		switch w.random.IntN(3) {
		case 0:
			w.publishByURL(id)
		case 1:
			w.touch(id, time.Now(), "touch in a burst")
		case 2:
			write(w.t, w.file(id), time.Now().String())
			w.note(id, "another program, in a burst")
		}
		w.moment(300)
	}
}

// fill uses up the file system, so that no new event can be published; those that there are still can.
func (w *world) fill(id string) {
	if !w.cramped {
		return
	}
	w.touch(id, time.Now(), "touch before it is full")
	var files []string
	for i := range 100 {
		name := filepath.Join(w.directory, fmt.Sprintf("filler-%d", i))
		if os.WriteFile(name, nil, 0o600) != nil {
			break
		}
		files = append(files, name)
	}
	if r := ask(w.t, w.path, asked("publish=new-"+id), ""); r.status != http.StatusOK || r.body != "false" {
		w.t.Errorf("a new event in a full directory: HTTP %d %s, want 200 false", r.status, r.body)
	}
	w.publishByURL(id)
	w.moment(1500)
	for _, name := range files {
		if err := os.Remove(name); err != nil {
			w.t.Error(err)
		}
	}
}

// remove removes an event, unless it has been published so recently that a page may not have asked since: an event that there
// is no more was never published, and that page would rightly miss it.
func (w *world) remove(id string) {
	for _, p := range slices.Backward(w.published) {
		if p.id == id && time.Since(p.at) < inTime {
			return
		}
	}
	if err := os.Remove(w.file(id)); err != nil && !os.IsNotExist(err) {
		w.t.Error(err)
	}
}

func (w *world) file(id string) string { return filepath.Join(w.directory, id+".comet") }

func (w *world) publishByURL(id string) {
	if r := ask(w.t, w.path, asked("publish="+id), ""); r.status != http.StatusOK || r.body != "true" {
		w.t.Errorf("publish %s: HTTP %d %s", id, r.status, r.body)
		return
	}
	w.note(id, "URL")
}

func (w *world) touch(id string, stamp time.Time, how string) {
	file, err := os.OpenFile(w.file(id), os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		file.Close()
		err = os.Chtimes(w.file(id), time.Time{}, stamp)
	}
	if err != nil {
		w.t.Error(err)
		return
	}
	w.note(id, how)
}

func (w *world) note(id, how string) {
	info, err := os.Stat(w.file(id))
	if err != nil {
		w.t.Error(err)
		return
	}
	w.published = append(w.published, publication{id, info.ModTime().Unix(), time.Now(), how})
}

// judge wants all clients alive, and each told of every publication, or of a later one of the same event, in time.
func (w *world) judge(clients []*oldClient) {
	answers := 0
	for _, c := range clients {
		c.mu.Lock()
		if c.died != nil {
			w.t.Errorf("%s died: %v", c.name, c.died)
		}
		answers += c.polls
		for i, p := range w.published {
			if c.died != nil || !c.subscribes(p.id) || p.at.Before(c.started.Add(beginning)) {
				continue
			}
			if at, ok := w.told(c, i); !ok {
				w.t.Errorf("%s was not told of %s of %s at %v (%d)", c.name, p.how, p.id, p.at.Format(time.StampMilli), p.second)
			} else if late := at.Sub(p.at) - w.restarted(p.at, at); late > inTime {
				w.t.Errorf("%s was told of %s of %s at %v (%d) only after %v, at most %v were allowed", c.name, p.how, p.id,
					p.at.Format(time.StampMilli), p.second, late, inTime)
			}
		}
		c.mu.Unlock()
	}
	w.t.Logf("%d publications, %d restarts, %d clients, %d answers", len(w.published), len(w.restarts), len(clients), answers)
	if len(w.published) < 10 || len(w.restarts) < 2 || answers < 3*len(clients) {
		w.t.Error("too little has happened to show anything")
	}
}

func (c *oldClient) subscribes(id string) bool {
	_, ok := c.since[id]
	return ok
}

// told returns when the client was told of the publication or of a later one of the same event.
func (w *world) told(c *oldClient, which int) (at time.Time, ok bool) {
	p := w.published[which]
	for _, told := range c.told {
		if told.id != p.id || told.at.Before(p.at) {
			continue
		}
		for _, later := range w.published[which:] {
			if later.id == p.id && later.second == told.second {
				return told.at, true
			}
		}
	}
	return time.Time{}, false
}

// restarted returns how much of the time there was nobody to ask.
func (w *world) restarted(from, to time.Time) (d time.Duration) {
	for _, r := range w.restarts {
		if begin, end := latest(from, r.from), earliest(to, r.to); begin.Before(end) {
			d += end.Sub(begin)
		}
	}
	return d
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
