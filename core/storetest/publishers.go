package storetest

import (
	"encoding/json"
	"fmt"
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

	"novcomet/core"
)

const (
	publishers   = 8
	publications = 10_000 // of all of them
)

// publication is one that was made, and when by the machine's clock since it was started, which is the same in every process.
type publication struct {
	Stamp        core.Stamp
	Began, Ended int64
}

func manyPublishers(t *testing.T, s subject) {
	id := newID(t, "of many")
	var made [][]publication
	if s.Place == nil {
		made = byGoroutines(t, s.open(t), id)
	} else {
		made = byProcesses(t, s, id)
	}
	var all []publication
	for _, own := range made {
		all = append(all, own...)
	}
	if len(all) != publications {
		t.Fatalf("%d publications; want %d", len(all), publications)
	}
	slices.SortFunc(all, func(a, b publication) int { return int(a.Stamp - b.Stamp) })
	lastBegan := all[0].Began // of those with an earlier stamp
	for i, p := range all[1:] {
		if p.Stamp == all[i].Stamp {
			t.Fatalf("two publications have the stamp %v", p.Stamp)
		}
		if p.Ended < lastBegan {
			t.Fatalf("one publication had been made when another one began, but its stamp %v is later", p.Stamp)
		}
		lastBegan = max(lastBegan, p.Began)
	}
	if s.Place != nil {
		if last, got := all[len(all)-1].Stamp, look(t, s.open(t), id).Stamps[0]; got != last {
			t.Errorf("after them the stamp is %v; the latest was %v", got, last)
		}
	}
}

func byGoroutines(t *testing.T, store core.Store, id core.ID) [][]publication {
	made := make([][]publication, publishers)
	var publishing sync.WaitGroup
	for i := range made {
		publishing.Go(func() { made[i] = publishTimes(t, store, id, publications/publishers) })
	}
	publishing.Wait()
	return made
}

func publishTimes(t testing.TB, store core.Store, id core.ID, times int) (made []publication) {
	for range times {
		began := sinceBoot()
		stamp, err := store.Publish(t.Context(), id)
		if err != nil {
			t.Errorf("publish %q: %v", id, err)
			return made
		}
		made = append(made, publication{stamp, began, sinceBoot()})
	}
	return made
}

func sinceBoot() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(err) // Linux always has this clock.
	}
	return now.Nano()
}

// task is what another process is to do. It is given it in a variable.
type task struct {
	Test, Place, ID string
	Times           int
}

const variable = "NOVCOMET_STORETEST"

// byProcesses starts the test program again, several times. They begin at the same moment, when all of them have opened the
// store.
func byProcesses(t *testing.T, s subject, id core.ID) [][]publication {
	order, err := json.Marshal(task{s.test, s.place, id.String(), publications / publishers})
	if err != nil {
		t.Fatal(err)
	}
	children := make([]*child, publishers)
	for i := range children {
		children[i] = startChild(t, s.test, string(order))
	}
	for _, c := range children {
		c.wait(t, func() error { return c.reports.Decode(new(string)) })
	}
	for _, c := range children {
		c.stdin.Close()
	}
	made := make([][]publication, publishers)
	for i, c := range children {
		c.wait(t, func() error { return c.reports.Decode(&made[i]) })
		c.wait(t, c.command.Wait)
	}
	return made
}

type child struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	reports *json.Decoder
	output  strings.Builder
}

func startChild(t *testing.T, test, order string) *child {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	t.Cleanup(func() { read.Close() })
	levels := strings.Split(test, "/")
	for i := range levels {
		levels[i] = "^" + regexp.QuoteMeta(levels[i]) + "$"
	}
	c := &child{command: exec.CommandContext(t.Context(), program, "-test.run="+strings.Join(levels, "/")), reports: json.NewDecoder(read)}
	c.command.Env = append(os.Environ(), variable+"="+order)
	c.command.ExtraFiles = []*os.File{write} // fd 3
	c.command.Stdout, c.command.Stderr = &c.output, &c.output
	c.command.WaitDelay = time.Second
	if c.stdin, err = c.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.command.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *child) wait(t *testing.T, f func() error) {
	t.Helper()
	const patience = 4 * Patience // 10,000 publications on a loaded machine
	failed := make(chan error, 1)
	go func() { failed <- f() }()
	select {
	case err := <-failed:
		if err != nil {
			_ = c.command.Process.Kill()
			_ = c.command.Wait() // so that all it said is there
			t.Fatalf("a publisher in another process: %v\n%s", err, c.output.String())
		}
	case <-time.After(patience):
		t.Fatalf("a publisher in another process is not ready after %v", patience)
	}
}

// publishHereIfAsked does what a process is for that byProcesses has started, and ends it.
func publishHereIfAsked(t *testing.T, s Subject) {
	order, asked := os.LookupEnv(variable)
	if !asked {
		return
	}
	var todo task
	if err := json.Unmarshal([]byte(order), &todo); err != nil {
		t.Fatal(err)
	}
	if todo.Test != t.Name() {
		t.SkipNow() // It is another call of Test that is meant.
	}
	store, id := s.Open(t, todo.Place), mustID(t, todo.ID)
	reports := json.NewEncoder(os.NewFile(3, "reports"))
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(reports.Encode("ready"))
	_, err := io.Copy(io.Discard, os.Stdin)
	must(err)
	made := publishTimes(t, store, id, todo.Times)
	if t.Failed() {
		t.FailNow()
	}
	must(reports.Encode(made))
	fmt.Println("published")
	os.Exit(0) // Nothing of the test is to be done here.
}

func neverEarlier(t *testing.T, s subject) {
	store := s.open(t)
	watcher := store
	if s.Place != nil {
		watcher = s.open(t)
	}
	id := newID(t, "seen meanwhile")
	done := make(chan struct{})
	var publishing sync.WaitGroup
	for range publishers {
		publishing.Go(func() { publishTimes(t, store, id, 100) })
	}
	go func() {
		defer close(done)
		publishing.Wait()
	}()
	var last core.Stamp
	for {
		select {
		case <-done:
			return
		default:
		}
		if stamp := look(t, watcher, id).Stamps[0]; stamp < last {
			t.Errorf("seen at %v, after %v", stamp, last)
			<-done
			return
		} else {
			last = stamp
		}
	}
}
