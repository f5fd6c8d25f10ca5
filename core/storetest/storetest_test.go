package storetest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"novcomet/core"
	"novcomet/core/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// good is a store as short as one can be, from which each broken one differs in one point.
type good struct {
	mu      sync.Mutex
	stamps  map[core.ID]core.Stamp
	gone    error
	changed map[*func(...core.ID)]bool
}

func newGood() *good {
	return &good{stamps: map[core.ID]core.Stamp{}, changed: map[*func(...core.ID)]bool{}}
}

func (s *good) Stamps(_ context.Context, ids []core.ID) (core.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	snapshot := core.Snapshot{Now: core.StampOf(time.Now())}
	for _, id := range ids {
		snapshot.Stamps = append(snapshot.Stamps, s.stamps[id])
	}
	return snapshot, s.gone
}

func (s *good) Publish(_ context.Context, id core.ID) (core.Stamp, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone != nil {
		return 0, s.gone
	}
	s.stamps[id] = max(s.stamps[id]+1, core.StampOf(time.Now()))
	for changed := range s.changed {
		go (*changed)(id)
	}
	return s.stamps[id], nil
}

func (s *good) Notify(ctx context.Context, changed func(...core.ID)) error {
	s.mu.Lock()
	s.changed[&changed] = true
	s.mu.Unlock()
	changed()
	<-ctx.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.changed, &changed)
	return context.Cause(ctx)
}

// away makes the store say that it is gone.
func (s *good) away(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = err
}

func subject(open func() (store core.Store, away func(error))) storetest.Subject {
	var away func(error)
	return storetest.Subject{
		Open: func(testing.TB, string) (store core.Store) { store, away = open(); return store },
		Interrupt: func(testing.TB) func() {
			away(core.ErrUnavailable)
			return func() { away(nil) }
		},
	}
}

func TestAGoodStorePasses(t *testing.T) {
	storetest.Test(t, subject(func() (core.Store, func(error)) { s := newGood(); return s, s.away }))
}

// broken are stores that do not keep one promise.
var broken = map[string]struct {
	promise string // which is the subtest that fails
	open    func() (core.Store, func(error))
}{
	"invents a stamp": {"an event that was never published has no stamp", func() (core.Store, func(error)) {
		s := newGood()
		return looking{s, func(seen core.Snapshot, ids []core.ID) core.Snapshot {
			for i := range seen.Stamps {
				seen.Stamps[i] = max(seen.Stamps[i], 1)
			}
			return seen
		}}, s.away
	}},
	"forgets an event": {"stamps come in the order asked", func() (core.Store, func(error)) {
		s := newGood()
		return looking{s, func(seen core.Snapshot, ids []core.ID) core.Snapshot {
			if len(ids) == 3 {
				seen.Stamps[0], seen.Stamps[1] = seen.Stamps[1], seen.Stamps[0]
			}
			return seen
		}}, s.away
	}},
	"folds case": {"ids of every shape are events of their own", func() (core.Store, func(error)) {
		s := newGood()
		return publishing{s, func(ctx context.Context, id core.ID) (core.Stamp, error) {
			lower, err := core.ParseID(strings.ToLower(id.String()))
			if err == nil {
				_, err = s.Publish(ctx, lower)
			}
			if err != nil {
				return 0, err
			}
			return s.Publish(ctx, id)
		}}, s.away
	}},
	"gives a stamp twice": {"a publication makes the stamp later and returns it", func() (core.Store, func(error)) {
		s := newGood()
		return publishing{s, func(ctx context.Context, id core.ID) (core.Stamp, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.stamps[id] = core.StampOf(time.Now().Truncate(time.Second))
			return s.stamps[id], nil
		}}, s.away
	}},
	"reads before it writes": {"of many who publish the same event each gives it a later stamp", func() (core.Store, func(error)) {
		s := newGood()
		return publishing{s, func(ctx context.Context, id core.ID) (core.Stamp, error) {
			s.mu.Lock()
			before := s.stamps[id]
			s.mu.Unlock()
			time.Sleep(time.Microsecond) // so that others do the same meanwhile
			stamp := max(before+1, core.StampOf(time.Now().Truncate(time.Millisecond)))
			s.mu.Lock()
			defer s.mu.Unlock()
			s.stamps[id] = stamp
			return stamp, s.gone
		}}, s.away
	}},
	"has a clock that lags": {"stamps are of the store's clock", func() (core.Store, func(error)) {
		s := newGood()
		return looking{s, func(seen core.Snapshot, ids []core.ID) core.Snapshot {
			seen.Now += 1_000_000
			return seen
		}}, s.away
	}},
	"does not say that it listens": {"a notifier tells of everything from its first call on", func() (core.Store, func(error)) {
		s := newGood()
		return telling{s, func(ctx context.Context, changed func(...core.ID)) error {
			return s.Notify(ctx, func(ids ...core.ID) {
				if len(ids) == 0 {
					ids = make([]core.ID, 1)
				}
				changed(ids...)
			})
		}}, s.away
	}},
	"ends with another error": {"a notifier ends with its context", func() (core.Store, func(error)) {
		s := newGood()
		return telling{s, func(ctx context.Context, changed func(...core.ID)) error {
			_ = s.Notify(ctx, changed)
			return errors.New("it ended")
		}}, s.away
	}},
	"hides that it is gone": {"a store that is gone says so, and comes back", func() (core.Store, func(error)) {
		s := newGood()
		return s, func(err error) {
			if err != nil {
				err = errors.New("something happened")
			}
			s.away(err)
		}
	}},
}

type looking struct {
	*good
	change func(core.Snapshot, []core.ID) core.Snapshot
}

func (s looking) Stamps(ctx context.Context, ids []core.ID) (core.Snapshot, error) {
	seen, err := s.good.Stamps(ctx, ids)
	return s.change(seen, ids), err
}

type publishing struct {
	*good
	publish func(context.Context, core.ID) (core.Stamp, error)
}

func (s publishing) Publish(ctx context.Context, id core.ID) (core.Stamp, error) {
	return s.publish(ctx, id)
}

type telling struct {
	*good
	notify func(context.Context, func(...core.ID)) error
}

func (s telling) Notify(ctx context.Context, changed func(...core.ID)) error {
	return s.notify(ctx, changed)
}

const inChild = "NOVCOMET_BROKEN"

func TestABrokenStoreFailsByTheNameOfThePromise(t *testing.T) {
	if name, ok := os.LookupEnv(inChild); ok {
		storetest.Test(t, subject(broken[name].open))
		return
	}
	for name, store := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pattern := "-test.run=^TestABrokenStoreFailsByTheNameOfThePromise$/" + "^" + strings.ReplaceAll(store.promise, " ", "_") + "$"
			command := exec.CommandContext(t.Context(), os.Args[0], pattern)
			command.Env = append(os.Environ(), inChild+"="+name)
			output, err := command.CombinedOutput()
			failed := "--- FAIL: TestABrokenStoreFailsByTheNameOfThePromise/" + strings.ReplaceAll(store.promise, " ", "_")
			if err == nil || !strings.Contains(string(output), failed) {
				t.Errorf("%v; want the failure of %q, got\n%s", err, store.promise, output)
			}
		})
	}
}

func TestNoProgramIsMadeLargerByIt(t *testing.T) {
	listed, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "../../cgi", "../../fcgi").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := "\n" + string(listed)
	for _, unwanted := range []string{"novcomet/core/storetest", "testing"} {
		if strings.Contains(packages, "\n"+unwanted+"\n") {
			t.Errorf("a program contains %s", unwanted)
		}
	}
	if !strings.Contains(packages, "\nnovcomet/core\n") {
		t.Errorf("they don't even contain core: %s", packages)
	}
}
