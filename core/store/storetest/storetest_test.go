package storetest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
	"novcomet/core/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// faulty is a correct store, unless a fault replaces one of its functions.
type faulty struct {
	*coretest.Memory
	alterSnapshot func(*store.Snapshot)
	alterContents func([]store.Content)
	publish       func(context.Context, event.ID, []byte) (event.Stamp, error)
	watch         func(context.Context, store.Interest, func(...event.ID)) error
	unavailable   error
}

func newFaulty() *faulty {
	memory := coretest.NewMemory()
	memory.Watchable = true
	return &faulty{
		Memory:        memory,
		alterSnapshot: func(*store.Snapshot) {},
		alterContents: func([]store.Content) {},
		publish:       memory.Publish,
		watch:         memory.Watch,
		unavailable:   store.ErrUnavailable,
	}
}

func (f *faulty) Check(ctx context.Context, ids []event.ID) (store.Snapshot, error) {
	snapshot, err := f.Memory.Check(ctx, ids)
	f.alterSnapshot(&snapshot)
	return snapshot, err
}

func (f *faulty) Publish(ctx context.Context, id event.ID, data []byte) (event.Stamp, error) {
	return f.publish(ctx, id, data)
}

func (f *faulty) Data(ctx context.Context, ids []event.ID, limit int) ([]store.Content, error) {
	contents, err := f.Memory.Data(ctx, ids, limit)
	f.alterContents(contents)
	return contents, err
}

func (f *faulty) Watch(ctx context.Context, i store.Interest, changed func(...event.ID)) error {
	return f.watch(ctx, i, changed)
}

// publishAs makes a publication set this stamp.
func (f *faulty) publishAs(stamp func(old event.Stamp) time.Time) {
	f.publish = func(_ context.Context, id event.ID, _ []byte) (event.Stamp, error) {
		at := stamp(f.Stamps()[id.String()])
		f.Set(id.String(), at)
		return event.StampOf(at), nil
	}
}

// faults break one rule of the contract each. The rule's subtest must fail.
var faults = map[string]struct {
	rule      string
	introduce func(*faulty)
}{
	"every event has a stamp": {"an event that was never published has stamp 0", func(f *faulty) {
		f.alterSnapshot = func(s *store.Snapshot) {
			for i := range s.Stamps {
				s.Stamps[i] = max(s.Stamps[i], 1)
			}
		}
	}},
	"there is one stamp too many": {"an event that was never published has stamp 0", func(f *faulty) {
		f.alterSnapshot = func(s *store.Snapshot) { s.Stamps = append(s.Stamps, 0) }
	}},
	"stamps are seconds": {"Publish returns a later stamp each time and Check sees it", func(f *faulty) {
		f.publishAs(func(event.Stamp) time.Time { return time.Now().Truncate(time.Second) })
	}},
	"Check sees another stamp": {"Publish returns a later stamp each time and Check sees it", func(f *faulty) {
		f.alterSnapshot = func(s *store.Snapshot) { s.Stamps[0]++ }
	}},
	"stamps are sorted": {"Check returns the stamps in the order of the ids", func(f *faulty) {
		f.alterSnapshot = func(s *store.Snapshot) { slices.Sort(s.Stamps) }
	}},
	"case is ignored": {"ids of every shape are different events", func(f *faulty) {
		f.publish = func(ctx context.Context, id event.ID, data []byte) (event.Stamp, error) {
			if lower, err := event.ParseID(strings.ToLower(id.String())); err == nil {
				_, _ = f.Memory.Publish(ctx, lower, data)
			}
			return f.Memory.Publish(ctx, id, data)
		}
	}},
	"a thousand events are read at most": {"Check reads thousands of events", func(f *faulty) {
		f.alterSnapshot = func(s *store.Snapshot) { clear(s.Stamps[min(1000, len(s.Stamps)):]) }
	}},
	"the clock is fast": {"a new stamp is within Lag and Lead of the store's clock", func(f *faulty) {
		f.alterSnapshot = func(s *store.Snapshot) { s.Now += event.Second }
	}},
	"the clock is slow": {"a new stamp is within Lag and Lead of the store's clock", func(f *faulty) {
		f.alterSnapshot = func(s *store.Snapshot) { s.Now -= event.Second }
	}},
	"every old stamp counts": {"a new stamp ignores an old one that is more than 2 s ahead", func(f *faulty) {
		f.publishAs(func(old event.Stamp) time.Time {
			return time.UnixMicro(int64(max(old+1, event.StampOf(time.Now()))))
		})
	}},
	"no old stamp counts": {"a new stamp ignores an old one that is more than 2 s ahead", func(f *faulty) {
		f.publishAs(func(event.Stamp) time.Time { return time.Now() })
	}},
	"the old stamp is read too early": {"concurrent publishers get increasing stamps", func(f *faulty) {
		f.publishAs(func(old event.Stamp) time.Time {
			time.Sleep(time.Microsecond) // Meanwhile, others read the same stamp.
			return time.UnixMicro(int64(max(old+1, event.StampOf(time.Now().Truncate(time.Millisecond)))))
		})
	}},
	"every third check sees an old stamp": {"stamps never decrease during publications", func(f *faulty) {
		checks := 0
		f.alterSnapshot = func(s *store.Snapshot) {
			if checks++; checks%3 == 0 {
				s.Stamps[0] /= 2
			}
		}
	}},
	"data is appended": {"an event carries the data that was published last", func(f *faulty) {
		f.publish = func(ctx context.Context, id event.ID, data []byte) (event.Stamp, error) {
			return f.Memory.Publish(ctx, id, append([]byte(f.DataOf(id.String())), data...))
		}
	}},
	"data is lost without new data": {"an event carries the data that was published last", func(f *faulty) {
		f.publish = func(ctx context.Context, id event.ID, data []byte) (event.Stamp, error) {
			return f.Memory.Publish(ctx, id, append([]byte{}, data...))
		}
	}},
	"empty data keeps the old": {"an event carries the data that was published last", func(f *faulty) {
		f.publish = func(ctx context.Context, id event.ID, data []byte) (event.Stamp, error) {
			return f.Memory.Publish(ctx, id, append([]byte(nil), data...))
		}
	}},
	"only Publish does not support data": {"an event carries the data that was published last", func(f *faulty) {
		f.publish = func(context.Context, event.ID, []byte) (event.Stamp, error) { return 0, errors.ErrUnsupported }
	}},
	"long data has no error": {"Data keeps the order of the ids and the limit", func(f *faulty) {
		f.alterContents = func(contents []store.Content) { contents[len(contents)-1].Err = nil }
	}},
	"data is rotated": {"Data keeps the order of the ids and the limit", func(f *faulty) {
		f.alterContents = func(contents []store.Content) { copy(contents, contents[1:]) }
	}},
	"data is written in two steps": {"Data is never a mixture and never older than the stamp", func(f *faulty) {
		f.publish = func(ctx context.Context, id event.ID, data []byte) (event.Stamp, error) {
			if old := f.DataOf(id.String()); len(old) == len(data) {
				f.SetData(id.String(), string(data[:len(data)/2])+old[len(data)/2:])
				time.Sleep(time.Millisecond)
			}
			return f.Memory.Publish(ctx, id, data)
		}
	}},
	"data is written after the stamp": {"Data is never a mixture and never older than the stamp", func(f *faulty) {
		f.publish = func(ctx context.Context, id event.ID, data []byte) (event.Stamp, error) {
			stamp, err := f.Memory.Publish(ctx, id, nil)
			time.Sleep(time.Millisecond)
			f.SetData(id.String(), string(data))
			return stamp, err
		}
	}},
	"an error is not the context's cause": {"calls return when their context ends", func(f *faulty) {
		f.publish = func(ctx context.Context, _ event.ID, _ []byte) (event.Stamp, error) { return 0, ctx.Err() }
	}},
	"the first notification has foreign ids": {"Watch notifies of every event", func(f *faulty) {
		f.watch = func(ctx context.Context, i store.Interest, changed func(...event.ID)) error {
			changed(event.ID{})
			return f.Memory.Watch(ctx, i, changed)
		}
	}},
	"there is no first notification": {"Watch notifies of every event", func(f *faulty) {
		f.watch = func(ctx context.Context, i store.Interest, changed func(...event.ID)) error {
			return f.Memory.Watch(ctx, i, func(ids ...event.ID) {
				if len(ids) > 0 {
					changed(ids...)
				}
			})
		}
	}},
	"Watch returns another error": {"Watch ends with its context", func(f *faulty) {
		f.watch = func(ctx context.Context, i store.Interest, changed func(...event.ID)) error {
			_ = f.Memory.Watch(ctx, i, changed)
			return errors.New("ended")
		}
	}},
	"an outage has another error": {"an unavailable store reports it and recovers", func(f *faulty) {
		f.unavailable = errors.New("something happened")
	}},
}

// subject tests one store, with a fault or with none.
func subject(fault func(*faulty)) storetest.Subject {
	var f *faulty
	return storetest.Subject{
		Open: func(testing.TB, string) store.Store {
			f = newFaulty()
			if fault != nil {
				fault(f)
			}
			return f
		},
		Interrupt: func(testing.TB) func() {
			f.Fail(f.unavailable)
			return func() { f.Fail(nil) }
		},
		SetStamp: func(_ testing.TB, id event.ID, stamp event.Stamp) {
			f.Set(id.String(), time.UnixMicro(int64(stamp)))
		},
	}
}

// This is also the test of coretest.Memory.
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
