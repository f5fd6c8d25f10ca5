package storetest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"novcomet/core/event"
	"novcomet/core/store"
	"novcomet/core/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a store in memory. It is correct unless a fault sets one of the first fields.
type memory struct {
	alterSnapshot func(*store.Snapshot)
	alterContents func([]store.Content)
	alterData     func(old, data []byte) []byte
	newStamp      func(old event.Stamp) event.Stamp
	publish       func(context.Context, event.ID, []byte) (event.Stamp, error)
	watchBegins   func(changed func(...event.ID))
	watchEnds     func(context.Context) error
	unavailable   error

	mu       sync.Mutex
	outage   error
	stamps   map[event.ID]event.Stamp
	data     map[event.ID][]byte
	watchers map[*func(...event.ID)]bool
}

func newMemory() *memory {
	m := &memory{
		alterSnapshot: func(*store.Snapshot) {},
		alterContents: func([]store.Content) {},
		alterData:     func(_, data []byte) []byte { return data },
		newStamp:      func(old event.Stamp) event.Stamp { return max(old+1, event.StampOf(time.Now())) },
		watchBegins:   func(changed func(...event.ID)) { changed() },
		watchEnds:     context.Cause,
		unavailable:   store.ErrUnavailable,
		stamps:        map[event.ID]event.Stamp{},
		data:          map[event.ID][]byte{},
		watchers:      map[*func(...event.ID)]bool{},
	}
	m.publish = m.set
	return m
}

func (m *memory) Timing() store.Timing { return store.Timing{} }
func (m *memory) Close() error         { return nil }

func (m *memory) Check(_ context.Context, ids []event.ID) (store.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	snapshot := store.Snapshot{Now: event.StampOf(time.Now())}
	for _, id := range ids {
		snapshot.Stamps = append(snapshot.Stamps, m.stamps[id])
	}
	m.alterSnapshot(&snapshot)
	return snapshot, m.outage
}

func (m *memory) Publish(ctx context.Context, id event.ID, data []byte) (event.Stamp, error) {
	return m.publish(ctx, id, data)
}

func (m *memory) set(_ context.Context, id event.ID, data []byte) (event.Stamp, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.outage != nil {
		return 0, m.outage
	}
	m.stamps[id] = m.newStamp(m.stamps[id])
	if data = m.alterData(m.data[id], data); data != nil {
		m.data[id] = data
	}
	for changed := range m.watchers {
		go (*changed)(id)
	}
	return m.stamps[id], nil
}

func (m *memory) Data(_ context.Context, ids []event.ID, limit int) (contents []store.Content, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		contents = append(contents, store.Limited(m.data[id], limit))
	}
	m.alterContents(contents)
	return contents, m.outage
}

func (m *memory) Watch(ctx context.Context, _ store.Interest, changed func(...event.ID)) error {
	m.mu.Lock()
	m.watchers[&changed] = true
	m.mu.Unlock()
	m.watchBegins(changed)
	<-ctx.Done()
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.watchers, &changed)
	return m.watchEnds(ctx)
}

func (m *memory) interrupt(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.outage = err
}

// faults break one rule of the contract each. The rule's subtest must fail.
var faults = map[string]struct {
	rule      string
	introduce func(*memory)
}{
	"every event has a stamp": {"an event that was never published has stamp 0", func(m *memory) {
		m.alterSnapshot = func(s *store.Snapshot) {
			for i := range s.Stamps {
				s.Stamps[i] = max(s.Stamps[i], 1)
			}
		}
	}},
	"there is one stamp too many": {"an event that was never published has stamp 0", func(m *memory) {
		m.alterSnapshot = func(s *store.Snapshot) { s.Stamps = append(s.Stamps, 0) }
	}},
	"stamps are seconds": {"Publish returns a later stamp each time and Check sees it", func(m *memory) {
		m.newStamp = func(event.Stamp) event.Stamp { return event.StampOf(time.Now().Truncate(time.Second)) }
	}},
	"Check sees another stamp": {"Publish returns a later stamp each time and Check sees it", func(m *memory) {
		m.alterSnapshot = func(s *store.Snapshot) { s.Stamps[0]++ }
	}},
	"stamps are sorted": {"Check returns the stamps in the order of the ids", func(m *memory) {
		m.alterSnapshot = func(s *store.Snapshot) { slices.Sort(s.Stamps) }
	}},
	"case is ignored": {"ids of every shape are different events", func(m *memory) {
		m.publish = func(ctx context.Context, id event.ID, data []byte) (event.Stamp, error) {
			if lower, err := event.ParseID(strings.ToLower(id.String())); err == nil {
				_, _ = m.set(ctx, lower, data)
			}
			return m.set(ctx, id, data)
		}
	}},
	"a thousand events are read at most": {"Check reads thousands of events", func(m *memory) {
		m.alterSnapshot = func(s *store.Snapshot) { clear(s.Stamps[min(1000, len(s.Stamps)):]) }
	}},
	"the clock is fast": {"a new stamp is within Lag and Lead of the store's clock", func(m *memory) {
		m.alterSnapshot = func(s *store.Snapshot) { s.Now += event.Second }
	}},
	"the clock is slow": {"a new stamp is within Lag and Lead of the store's clock", func(m *memory) {
		m.alterSnapshot = func(s *store.Snapshot) { s.Now -= event.Second }
	}},
	"the old stamp is read too early": {"concurrent publishers get increasing stamps", func(m *memory) {
		m.publish = func(_ context.Context, id event.ID, _ []byte) (event.Stamp, error) {
			m.mu.Lock()
			old := m.stamps[id]
			m.mu.Unlock()
			time.Sleep(time.Microsecond) // Meanwhile, others read the same stamp.
			m.mu.Lock()
			defer m.mu.Unlock()
			m.stamps[id] = max(old+1, event.StampOf(time.Now().Truncate(time.Millisecond)))
			return m.stamps[id], nil
		}
	}},
	"every third check sees an old stamp": {"stamps never decrease during publications", func(m *memory) {
		checks := 0
		m.alterSnapshot = func(s *store.Snapshot) {
			if checks++; checks%3 == 0 {
				s.Stamps[0] /= 2
			}
		}
	}},
	"data is appended": {"an event carries the data that was published last", func(m *memory) {
		m.alterData = func(old, data []byte) []byte { return slices.Concat(old, data) }
	}},
	"data is lost without new data": {"an event carries the data that was published last", func(m *memory) {
		m.alterData = func(_, data []byte) []byte { return append([]byte{}, data...) }
	}},
	"empty data keeps the old": {"an event carries the data that was published last", func(m *memory) {
		m.alterData = func(_, data []byte) []byte { return append([]byte(nil), data...) }
	}},
	"only Publish does not support data": {"an event carries the data that was published last", func(m *memory) {
		m.publish = func(context.Context, event.ID, []byte) (event.Stamp, error) { return 0, errors.ErrUnsupported }
	}},
	"long data has no error": {"Data keeps the order of the ids and the limit", func(m *memory) {
		m.alterContents = func(contents []store.Content) { contents[len(contents)-1].Err = nil }
	}},
	"data is rotated": {"Data keeps the order of the ids and the limit", func(m *memory) {
		m.alterContents = func(contents []store.Content) { copy(contents, contents[1:]) }
	}},
	"data is written in two steps": {"Data is never a mixture and never older than the stamp", func(m *memory) {
		m.publish = func(ctx context.Context, id event.ID, data []byte) (event.Stamp, error) {
			m.mu.Lock()
			old := m.data[id]
			m.mu.Unlock()
			if len(old) == len(data) {
				_, _ = m.set(ctx, id, slices.Concat(data[:len(data)/2], old[len(data)/2:]))
				time.Sleep(time.Millisecond)
			}
			return m.set(ctx, id, data)
		}
	}},
	"data is written after the stamp": {"Data is never a mixture and never older than the stamp", func(m *memory) {
		m.publish = func(ctx context.Context, id event.ID, data []byte) (event.Stamp, error) {
			stamp, err := m.set(ctx, id, nil)
			time.Sleep(time.Millisecond)
			m.mu.Lock()
			defer m.mu.Unlock()
			m.data[id] = data
			return stamp, err
		}
	}},
	"an error is not the context's cause": {"calls return when their context ends", func(m *memory) {
		m.publish = func(ctx context.Context, _ event.ID, _ []byte) (event.Stamp, error) { return 0, ctx.Err() }
	}},
	"the first notification has foreign ids": {"Watch notifies of every event", func(m *memory) {
		m.watchBegins = func(changed func(...event.ID)) { changed(event.ID{}) }
	}},
	"there is no first notification": {"Watch notifies of every event", func(m *memory) {
		m.watchBegins = func(func(...event.ID)) {}
	}},
	"Watch returns another error": {"Watch ends with its context", func(m *memory) {
		m.watchEnds = func(context.Context) error { return errors.New("ended") }
	}},
	"an outage has another error": {"an unavailable store reports it and recovers", func(m *memory) {
		m.unavailable = errors.New("something happened")
	}},
}

// subject tests one store, with a fault or with none.
func subject(fault func(*memory)) storetest.Subject {
	var m *memory
	return storetest.Subject{
		Open: func(testing.TB, string) store.Store {
			m = newMemory()
			if fault != nil {
				fault(m)
			}
			return m
		},
		Interrupt: func(testing.TB) func() {
			m.interrupt(m.unavailable)
			return func() { m.interrupt(nil) }
		},
	}
}

func TestTest_PassesACorrectStore(t *testing.T) { storetest.Test(t, subject(nil)) }

const faultVariable = "NOVCOMET_STORETEST_FAULT"

// A subtest that fails also fails its parent. So each faulty store is tested in a process of its own.
func TestTest_FailsAFaultyStore(t *testing.T) {
	if name, isChild := os.LookupEnv(faultVariable); isChild {
		storetest.SetPatience(time.Second)
		storetest.Test(t, subject(faults[name].introduce))
		return
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			subtest := strings.ReplaceAll(fault.rule, " ", "_")
			command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTest_FailsAFaultyStore$/^"+subtest+"$")
			command.Env = append(os.Environ(), faultVariable+"="+name)
			output, err := command.CombinedOutput()
			if err == nil || !strings.Contains(string(output), "--- FAIL: TestTest_FailsAFaultyStore/"+subtest) {
				t.Errorf("%v; want that %q fails, got\n%s", err, fault.rule, output)
			}
		})
	}
}

func TestTest_IsInNoProgram(t *testing.T) {
	listed, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "../../../cgi", "../../../fcgi").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(listed))
	for _, unwanted := range []string{"novcomet/core/store/storetest", "testing"} {
		if slices.Contains(packages, unwanted) {
			t.Errorf("a program contains %s", unwanted)
		}
	}
	if !slices.Contains(packages, "novcomet/core") {
		t.Errorf("no program contains novcomet/core: %q", packages)
	}
}
