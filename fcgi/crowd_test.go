//go:build long

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// customers are the pages that a site has open, half of them written for comet.php, with two events each, and a
// publication after the other.
type customers struct {
	t         *testing.T
	directory string
	path      string
	events    int

	leave   context.CancelFunc
	running sync.WaitGroup
	old     []*oldClient
	new     []*newClient

	published []publication // when running has ended
}

// openPages lets n pages ask, and publishes every 20 ms: each event so seldom that a later publication can't make good for one
// that was missed.
func openPages(t *testing.T, directory, path string, n int) *customers {
	ctx, leave := context.WithCancel(context.Background())
	c := &customers{t: t, directory: directory, path: path, events: 600, leave: leave}
	t.Cleanup(leave)
	for i := range n {
		ids := []string{c.event(i), c.event(i*7 + 1)}
		if i%2 == 0 {
			page := newOldClient(fmt.Sprint("old page ", i), path, 0, ids...)
			c.old = append(c.old, page)
			c.running.Go(func() { page.run(ctx) })
		} else {
			page := newNewClient(fmt.Sprint("new page ", i), path, ids...)
			c.new = append(c.new, page)
			c.running.Go(func() { page.run(ctx) })
		}
	}
	c.running.Go(func() { c.publish(ctx) })
	return c
}

func (c *customers) event(i int) string { return fmt.Sprint("event-", i%c.events) }

// publish publishes one event after the other, by a touch.
func (c *customers) publish(ctx context.Context) {
	next := time.NewTicker(20 * time.Millisecond)
	defer next.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		file := filepath.Join(c.directory, c.event(i)+".comet")
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			c.t.Error(err)
			return
		}
		info, err := os.Stat(file)
		if err != nil {
			c.t.Error(err)
			return
		}
		c.published = append(c.published, publication{c.event(i), info.ModTime().Unix(), time.Now(), "a write"})
	}
}

// close lets the pages go when they have had the time for what was published so far, and wants none of their requests to have
// failed, and each publication to have arrived. It may take as long as nobody was there to ask, and what inTime allows.
func (c *customers) close(nobody time.Duration) {
	c.t.Helper()
	judged := time.Now()
	<-time.After(nobody + inTime)
	c.leave()
	// Whoever still waits is woken by a last publication of everything, for the sake of the test's time.
	for i := range c.events {
		touchFile(c.t, filepath.Join(c.directory, c.event(i)+".comet"))
	}
	c.running.Wait()
	answers := 0
	for _, page := range c.old {
		answers += c.judge(page, judged, nobody)
	}
	for _, page := range c.new {
		answers += c.judge(&page.oldClient, judged, nobody)
	}
	c.t.Logf("%d publications, %d answers", len(c.published), answers)
	if answers < 3*(len(c.old)+len(c.new)) {
		c.t.Error("too little has happened to show anything")
	}
}

func (c *customers) judge(page *oldClient, until time.Time, nobody time.Duration) (answers int) {
	if page.died != nil {
		c.t.Errorf("%s died: %v", page.name, page.died)
		return page.polls
	}
	for _, p := range c.published {
		if !slices.Contains(page.ids, p.id) || p.at.Before(page.started.Add(beginning)) || p.at.After(until) {
			continue
		}
		arrived := false
		for _, told := range page.told {
			if told.id == p.id && told.second >= p.second && !told.at.Before(p.at.Add(-slack)) {
				arrived = told.at.Sub(p.at) <= nobody+inTime
				break
			}
		}
		if !arrived {
			c.t.Errorf("%s was not told in time of %s of %s", page.name, p.id, p.at.Format(time.StampMilli))
		}
	}
	return page.polls
}

// A restart is nothing that 500 pages notice, whether the next process starts before the last one ends or after.
func TestTenRestartsUnderFiveHundredPagesLoseNothing(t *testing.T) {
	t.Parallel()
	const pages, restarts, end = 500, 10, 5 * time.Second
	needFiles(t, 2*pages+200)
	directory := t.TempDir()
	socket, path := boundSocket(t)
	begin := func() *program {
		p := start(t, directory, arrangement{stdin: socket, env: []string{"COMET_TRIES=20", "COMET_SLEEP=" + sleep.String()}})
		awaitListening(t, p, socket)
		return p
	}
	p := begin()
	c := openPages(t, directory, path, pages)
	<-time.After(beginning)
	for i := range restarts {
		if i%2 == 0 {
			next := begin()
			p.terminate()
			p = next
		} else {
			p.terminate()
			p = begin()
		}
		if r := ask(t, path, asked("publish=by-url"), ""); r.status != http.StatusOK || r.body != "true" {
			t.Errorf("restart %d: HTTP %d %s", i, r.status, r.body)
		}
	}
	c.close(end)
}

// What a page waits for is no matter of the configuration that it came under.
func TestReloadsUnderLoadLoseNothing(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	yaml := "tries: 20\nsleep: %dms\nfile:\n  directory: " + directory + "\n"
	r := startReloading(t, fmt.Sprintf(yaml, 200))
	c := openPages(t, directory, r.path, 100)
	<-time.After(beginning)
	for i := range 30 {
		wantText(t, r.reload(fmt.Sprintf(yaml, 150+i)), "settings reloaded")
		<-time.After(100 * time.Millisecond)
	}
	c.close(0)
	if took := r.terminate(); took >= 5*time.Second {
		t.Errorf("it took %v to end", took)
	}
}

// awaitListening waits until the program listens on a socket that others may listen on, too. Before, SIGTERM just kills it.
func awaitListening(t *testing.T, p *program, socket *os.File) {
	t.Helper()
	eventually(t, "it listens", func() bool { return holds(p, socket) > 1 })
}

// holds returns how often the process has the socket open: one time more than it got it when it listens on it.
func holds(p *program, socket *os.File) (n int) {
	var wanted, found syscall.Stat_t
	if err := syscall.Fstat(int(socket.Fd()), &wanted); err != nil {
		return 0
	}
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.Process.Pid))
	for _, file := range files {
		if syscall.Stat(file, &found) == nil && found.Ino == wanted.Ino && found.Dev == wanted.Dev {
			n++
		}
	}
	return n
}
