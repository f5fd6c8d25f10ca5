package storetest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
)

const (
	publishers      = 8
	processes       = 4    // with publishers/processes publishers each
	publicationsPer = 1250 // by each publisher
	childVariable   = "NOVCOMET_STORETEST"
)

// publication has times of the machine's monotonic clock, which is the same in all processes.
type publication struct {
	Stamp        event.Stamp
	Began, Ended int64
}

func (c contract) concurrentPublishers(t *testing.T) {
	s, id := c.open(t), newID("concurrent")
	var all []publication
	if c.Place == nil {
		all = publishConcurrently(t, s, id, publishers, publicationsPer)
	} else {
		all = c.publishInProcesses(t, id)
	}
	if len(all) != publishers*publicationsPer {
		t.Fatalf("%d publications; want %d", len(all), publishers*publicationsPer)
	}
	slices.SortFunc(all, func(a, b publication) int { return cmp.Compare(a.Stamp, b.Stamp) })
	lastBegan := all[0].Began // of the publications with an earlier stamp
	for i, p := range all[1:] {
		if p.Stamp == all[i].Stamp {
			t.Fatalf("two publications have the stamp %v", p.Stamp)
		}
		if p.Ended < lastBegan {
			t.Fatalf("the stamp %v is later than that of a publication that began after this one had ended", p.Stamp)
		}
		lastBegan = max(lastBegan, p.Began)
	}
	if last, seen := all[len(all)-1].Stamp, check(t, s, id).Stamps[0]; seen != last {
		t.Errorf("the stamp is %v; want the latest, %v", seen, last)
	}
}

func publishConcurrently(t testing.TB, s store.Store, id event.ID, publishers, times int) (all []publication) {
	var mu sync.Mutex
	var publishing sync.WaitGroup
	for range publishers {
		publishing.Go(func() {
			for range times {
				p, err := publishPatiently(t.Context(), s, id)
				if err != nil {
					t.Errorf("publish %q: %v", id, err)
					return
				}
				mu.Lock()
				all = append(all, p)
				mu.Unlock()
			}
		})
	}
	publishing.Wait()
	return all
}

// publishPatiently repeats the publication while the store is unavailable. On a busy machine, a process can
// hold a lock for longer than the others wait for it.
func publishPatiently(ctx context.Context, s store.Store, id event.ID) (p publication, err error) {
	for deadline := time.Now().Add(patience); ; {
		p.Began = monotonic()
		p.Stamp, err = s.Publish(ctx, id, nil)
		p.Ended = monotonic()
		if !errors.Is(err, store.ErrUnavailable) || time.Now().After(deadline) {
			return p, err
		}
	}
}

func monotonic() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(err) // Every Unix has this clock.
	}
	return now.Nano()
}

// task is the work of a child process. The child gets it in childVariable.
type task struct{ Test, Place, ID string }

// publishInProcesses starts the test program several times. The children begin to publish at the same moment,
// when all have opened the store.
func (c contract) publishInProcesses(t *testing.T, id event.ID) (all []publication) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience) // 10,000 publications on a busy machine
	defer cancel()
	children := make([]*child, processes)
	for i := range children {
		children[i] = startChild(ctx, t, task{c.test, c.place, id.String()})
	}
	for _, child := range children {
		child.read(t, new(string))
	}
	for _, child := range children {
		child.stdin.Close()
	}
	for _, child := range children {
		var made []publication
		child.read(t, &made)
		child.must(t, child.command.Wait())
		all = append(all, made...)
	}
	return all
}

type child struct {
	command *exec.Cmd
	stdin   io.Closer // When it is closed, the child begins.
	reports *json.Decoder
	output  bytes.Buffer
}

func startChild(ctx context.Context, t *testing.T, work task) *child {
	t.Helper()
	program, err := os.Executable()
	must(t, err)
	order, err := json.Marshal(work)
	must(t, err)
	read, write, err := os.Pipe()
	must(t, err)
	defer write.Close()
	t.Cleanup(func() { read.Close() })
	levels := strings.Split(work.Test, "/")
	for i := range levels {
		levels[i] = "^" + regexp.QuoteMeta(levels[i]) + "$"
	}
	c := &child{
		command: exec.CommandContext(ctx, program, "-test.run="+strings.Join(levels, "/")),
		reports: json.NewDecoder(read),
	}
	c.command.Env = append(os.Environ(), childVariable+"="+string(order))
	c.command.ExtraFiles = []*os.File{write} // descriptor 3
	c.command.Stdout, c.command.Stderr = &c.output, &c.output
	c.command.WaitDelay = patience
	c.stdin, err = c.command.StdinPipe()
	must(t, err)
	must(t, c.command.Start())
	return c
}

func (c *child) read(t *testing.T, report any) {
	t.Helper()
	c.must(t, c.reports.Decode(report))
}

// must fails the test, with the output of the child, if there is an error.
func (c *child) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		_ = c.command.Process.Kill()
		_ = c.command.Wait() // Then the output is complete.
		t.Fatalf("a publisher in another process: %v\n%s", err, c.output.String())
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// publishIfChild does the work of a child process, and ends it.
func publishIfChild(t *testing.T, s Subject) {
	order, isChild := os.LookupEnv(childVariable)
	if !isChild {
		return
	}
	var work task
	must(t, json.Unmarshal([]byte(order), &work))
	if work.Test != t.Name() {
		t.SkipNow() // The task is for another call of Test.
	}
	store, id := s.Open(t, work.Place), coretest.MustID(work.ID)
	reports := json.NewEncoder(os.NewFile(3, "reports"))
	must(t, reports.Encode("ready"))
	_, err := io.Copy(io.Discard, os.Stdin)
	must(t, err)
	made := publishConcurrently(t, store, id, publishers/processes, publicationsPer)
	if t.Failed() {
		t.FailNow()
	}
	must(t, reports.Encode(made))
	os.Exit(0) // The rest of the test is the parent's.
}

func (c contract) monotonicStamps(t *testing.T) {
	publisher, reader := c.openTwice(t)
	id := newID("monotonic")
	last := publish(t, publisher, id, nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		publishConcurrently(t, publisher, id, publishers, 100)
	}()
	defer func() { <-done }()
	const minChecks = 100 // Publications in memory may be faster than the first checks.
	for checks := 0; checks < minChecks || !isClosed(done); checks++ {
		stamp := check(t, reader, id).Stamps[0]
		if stamp < last {
			t.Fatalf("the stamp is %v, and was %v before", stamp, last)
		}
		last = stamp
	}
}

func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
