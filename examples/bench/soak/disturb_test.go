package soak

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// disturbHere disturbs nothing real for a minute, and returns the history.
func disturbHere(t *testing.T, seed uint64) *soak {
	t.Helper()
	start := func(o occurrence) (stop, error) {
		o.Ahead = micros(o.random.Int64N(1000))
		return func() error {
			if o.Kind == "d" {
				return errors.New("it cannot be ended")
			}
			return nil
		}, nil
	}
	s := &soak{options: Options{Seed: seed}, failures: map[string]int{}}
	s.disturbances = []disturbance{
		{"a", "one", time.Second, start}, {"b", "one", time.Second, start}, {"c", "two", time.Minute / 10, start},
		{"d", "three", time.Second, start},
	}
	synctest.Test(t, func(t *testing.T) { s.disturbUntil(t.Context(), time.Now().Add(time.Minute)) })
	return s
}

func TestDisturb_FollowsFromTheSeed(t *testing.T) {
	first, second, other := disturbHere(t, 1), disturbHere(t, 1), disturbHere(t, 2)
	chosen := first.history.Disturbances
	if len(chosen) < 10 || !reflect.DeepEqual(chosen, second.history.Disturbances) {
		t.Errorf("the same seed chose other disturbances")
	}
	if reflect.DeepEqual(chosen, other.history.Disturbances) {
		t.Errorf("another seed chose the same disturbances")
	}
}

func TestDisturb_DisturbsOneOfAGroupAndSeveralAtATime(t *testing.T) {
	together := 0
	all := disturbHere(t, 1).history.Disturbances
	for i, d := range all {
		for _, other := range all[i+1:] {
			if d.Start < other.End && other.Start < d.End {
				together++
				if d.Kind+other.Kind == "ab" || d.Kind+other.Kind == "ba" {
					t.Errorf("two of a group: %+v and %+v", d, other)
				}
			}
		}
	}
	if together == 0 {
		t.Error("never two at a time")
	}
}

func TestDisturb_ReportsWhatCannotBeEnded(t *testing.T) {
	r := newReport(&History{})
	disturbHere(t, 1).complete(r)
	if r.Problems["d: it cannot be ended"] == 0 || r.Good() {
		t.Errorf("%v", r.Problems)
	}
}

func TestChooseDisturbances_RefusesUnknownKinds(t *testing.T) {
	s := &soak{options: Options{Server: "nginx", Disturb: []string{"earthquake"}}, store: &fileStore{}}
	if _, err := s.chooseDisturbances(); err == nil || !strings.Contains(err.Error(), "earthquake") {
		t.Errorf("%v; want an error that names the kind", err)
	}
}
