package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"novcomet/core/event"
	"novcomet/core/store"
)

const noLimit = 1 << 20

// openWithData skips the test if the events carry no data.
func (c contract) openWithData(t *testing.T) store.Store {
	t.Helper()
	s, id := c.open(t), newID("supported")
	if _, err := s.Publish(t.Context(), id, []byte{}); errors.Is(err, errors.ErrUnsupported) {
		if _, err := s.Data(t.Context(), []event.ID{id}, noLimit); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Publish supports no data, but Data returned the error %v; want ErrUnsupported", err)
		}
		t.Skip("events carry no data")
	}
	return s
}

// dataOf returns what the events carry. An event whose data is left out has no data.
func dataOf(t testing.TB, s store.Store, limit int, ids ...event.ID) (texts []string, errs []error) {
	t.Helper()
	contents, err := s.Data(t.Context(), ids, limit)
	if err != nil || len(contents) != len(ids) {
		t.Fatalf("the data of %d events for %d, %v", len(contents), len(ids), err)
	}
	for _, content := range contents {
		if content.Err != nil && content.Data != nil {
			t.Errorf("the data %q comes with the error %v", content.Data, content.Err)
		}
		texts, errs = append(texts, string(content.Data)), append(errs, content.Err)
	}
	return texts, errs
}

func (c contract) latestData(t *testing.T) {
	s, id := c.openWithData(t), newID("latest")
	long := strings.Repeat("long ", 10_000)
	var last event.Stamp
	for _, step := range []struct {
		data []byte // nil keeps the data
		want string
	}{
		{nil, ""}, {[]byte("a"), "a"}, {nil, "a"}, {[]byte{}, ""}, {nil, ""}, {[]byte("b\nc\n"), "b\nc\n"},
		{[]byte("\n"), "\n"}, {[]byte("\x00\xff"), "\x00\xff"},
		{[]byte(long), long}, {nil, long}, {[]byte(`{"a":1}`), `{"a":1}`},
	} {
		stamp := publish(t, s, id, step.data)
		if seen := check(t, s, id).Stamps[0]; stamp <= last || seen != stamp {
			t.Errorf("with %.20q: Publish returned %v after %v, and Check %v", step.data, stamp, last, seen)
		}
		if texts, _ := dataOf(t, s, noLimit, id); texts[0] != step.want {
			t.Errorf("after a publication with %.20q: the event carries %.20q; want %.20q", step.data, texts[0], step.want)
		}
		last = stamp
	}
}

func (c contract) orderAndLimitOfData(t *testing.T) {
	s := c.openWithData(t)
	a, b, missing, empty := newID("a"), newID("b"), newID("missing"), newID("empty")
	publish(t, s, a, []byte("1"))
	publish(t, s, b, []byte("22"))
	publish(t, s, empty, nil)
	want := []string{"22", "", "1", "", "22"}
	if got, _ := dataOf(t, s, 2, b, missing, a, empty, b); !slices.Equal(got, want) {
		t.Errorf("%q; want %q", got, want)
	}
	got, errs := dataOf(t, s, 1, a, b)
	if got[0] != "1" || got[1] != "" || errs[0] != nil || !errors.Is(errs[1], store.ErrTooLong) {
		t.Errorf("with a limit of 1: %q, %v; want ErrTooLong for the second", got, errs)
	}
}

// wholeData publishes data that is the number of the publication, many times. It goes on until the data has
// been read often enough meanwhile.
func (c contract) wholeData(t *testing.T) {
	const digits, times, least = 8, 5000, 200
	s, id := c.openWithData(t), newID("whole")
	var stamps []event.Stamp
	enough, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; i < least || !isClosed(enough); i++ {
			data := bytes.Repeat(fmt.Appendf(nil, "%0*d", digits, i), times)
			stamp, err := s.Publish(t.Context(), id, data)
			if err != nil {
				t.Error(err)
				return
			}
			stamps = append(stamps, stamp)
		}
	}()
	stop := sync.OnceFunc(func() { close(enough) })
	defer func() { stop(); <-done }()
	type observation struct {
		stamp  event.Stamp
		number int
	}
	var observations []observation
	for checks, finished := 0, false; !finished; checks++ {
		if checks == least {
			stop()
		}
		finished = isClosed(done) // The last observation is after the last publication.
		stamp := check(t, s, id).Stamps[0]
		texts, _ := dataOf(t, s, digits*times, id)
		text := texts[0]
		if text == "" { // It is being written.
			continue
		}
		number, err := strconv.Atoi(text[:min(digits, len(text))])
		if err != nil || text != strings.Repeat(text[:digits], times) {
			t.Errorf("%d bytes are a mixture of different publications", len(text))
			return
		}
		observations = append(observations, observation{stamp, number})
	}
	for _, o := range observations {
		published := slices.IndexFunc(stamps, func(stamp event.Stamp) bool { return stamp > o.stamp })
		if published < 0 {
			published = len(stamps)
		}
		if o.number < published-1 {
			t.Errorf("at the stamp of publication %d, the data is that of publication %d", published-1, o.number)
		}
	}
}
