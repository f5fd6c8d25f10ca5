package storetest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"novcomet/core"
)

const enough = 1 << 20

func carrier(t *testing.T, s subject) core.Carrier {
	t.Helper()
	c, ok := s.open(t).(core.Carrier)
	if !ok {
		t.Skip("it carries no data")
	}
	return c
}

// read returns what the events carry, "" for nothing.
func read(t testing.TB, store core.Carrier, limit int, ids ...core.ID) (texts []string) {
	t.Helper()
	data, err := store.Data(t.Context(), ids, limit)
	if err != nil || len(data) != len(ids) {
		t.Fatalf("the data of %d events for %d, %v", len(data), len(ids), err)
	}
	for _, d := range data {
		if d.Err != nil && d.Data != nil {
			t.Errorf("the data is left out (%v), and is there: %q", d.Err, d.Data)
		}
		texts = append(texts, string(d.Data))
	}
	return texts
}

func publishData(t testing.TB, store core.Carrier, id core.ID, data string) core.Stamp {
	t.Helper()
	stamp, err := store.PublishData(t.Context(), id, []byte(data))
	if err != nil {
		t.Fatalf("publish %q with %d bytes: %v", id, len(data), err)
	}
	return stamp
}

func carriesTheLatest(t *testing.T, s subject) {
	store := carrier(t, s)
	id := newID(t, "carrying")
	var last core.Stamp
	for _, data := range []string{"a", "", "b\nc\n", "\n", "\x00\xff", strings.Repeat("long ", 10_000), `{"a":1}`} {
		stamp := publishData(t, store, id, data)
		if seen := look(t, store, id).Stamps[0]; stamp <= last || seen != stamp {
			t.Errorf("with %.20q it got the stamp %v after %v, and has %v", data, stamp, last, seen)
		}
		if got := read(t, store, enough, id)[0]; got != data {
			t.Errorf("published with %.20q it carries %.20q", data, got)
		}
		last = stamp
	}
}

func keepsDataWithoutNew(t *testing.T, s subject) {
	store := carrier(t, s)
	id := newID(t, "carrying")
	publishData(t, store, id, "kept")
	publish(t, store, id)
	if got := read(t, store, enough, id)[0]; got != "kept" {
		t.Errorf("after a publication without data it carries %q", got)
	}
}

func carriesInTheOrderAsked(t *testing.T, s subject) {
	store := carrier(t, s)
	a, b, never, empty := newID(t, "a"), newID(t, "b"), newID(t, "never"), newID(t, "empty")
	publishData(t, store, a, "1")
	publishData(t, store, b, "22")
	publish(t, store, empty)
	got := read(t, store, 2, b, never, a, empty, b)
	if want := "22,,1,,22"; strings.Join(got, ",") != want {
		t.Errorf("%q; want %s", got, want)
	}
	if got := read(t, store, 1, a, b); got[0] != "1" || got[1] != "" {
		t.Errorf("of at most one byte: %q", got)
	}
	if data, err := store.Data(t.Context(), []core.ID{a, b}, 1); err != nil || data[0].Err != nil || !errors.Is(data[1].Err, core.ErrTooLong) {
		t.Errorf("of at most one byte: %v, %v; want ErrTooLong for the second", data, err)
	}
}

// Each publication's data is one letter: a mixture was torn.
func carriesWholeData(t *testing.T, s subject) {
	store := carrier(t, s)
	const size, publications = 20_000, 100
	id := newID(t, "whole")
	publishData(t, store, id, strings.Repeat("a", size))
	done := make(chan struct{})
	var working sync.WaitGroup
	working.Go(func() {
		defer close(done)
		for i := range publications {
			if _, err := store.PublishData(context.Background(), id, bytes.Repeat([]byte{byte('a' + i%26)}, size)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		text := read(t, store, size, id)[0]
		if text != "" && (len(text) != size || strings.Count(text, text[:1]) != size) {
			t.Errorf("%d bytes of different publications", len(text))
			break
		}
	}
	working.Wait()
}
