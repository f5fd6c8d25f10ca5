package core_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
)

func TestWhatAPollCameToIsCounted(t *testing.T) {
	together(t, newMemory(), func(g *group) {
		for _, query := range []string{"subscribed[a]=now", "subscribed[a]=now&subscribed[b]=now", "subscribed[c]=now&wait=1"} {
			g.polls.Go(func() { ask(g, g.endpoint, query) })
		}
		stream := g.open("subscribed[d]=now")
		synctest.Wait()
		if f := g.endpoint.Figures(); f.Waiting != 4 || f.Streams != 1 || f.Events != 4 || f.Began != 1 {
			t.Errorf("while they wait: %+v", f)
		}
		time.Sleep(1500 * time.Millisecond)
		ask(t, g.endpoint, "publish=a")
		time.Sleep(time.Second)
		stream.leave() // It is no poll that left.
		g.polls.Wait()
		f := g.endpoint.Figures()
		if f.Waiting != 0 || f.Streams != 0 || f.Events != 0 {
			t.Errorf("when all are gone: %+v", f)
		}
		if f.Changed != 2 || f.Unchanged != 1 || f.Left != 0 || f.Published != 1 || f.Began != 1 {
			t.Errorf("counted %+v", f)
		}
	})
}

func TestAPollWhoseClientLeavesIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endpoint := core.NewEndpoint(newMemory(), core.Settings{Tries: 3, Sleep: time.Second})
		opened := endpoint.Open(httptest.NewRequest(http.MethodGet, "/?subscribed[a]=now", nil))
		leave := opened.Poll.Enter(func(http.Handler, int) { t.Error("it was answered") })
		synctest.Wait()
		if !leave() || leave() {
			t.Error("it can leave once")
		}
		if f := endpoint.Figures(); f.Left != 1 || f.Waiting != 0 || f.Changed+f.Unchanged != 0 {
			t.Errorf("%+v", f)
		}
	})
}

func TestLooksAreCountedWithTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		store.slow = 5 * time.Millisecond
		endpoint := core.NewEndpoint(store, core.Settings{Tries: 1, Sleep: time.Second})
		ask(t, endpoint, "subscribed[a]=now&wait=0")
		before := endpoint.Figures().Looks
		if before.Count == 0 || before.Failed != 0 || before.Time != time.Duration(before.Count)*store.slow {
			t.Errorf("%+v", before)
		}
		if n := before.Count; before.Within != [...]uint64{0, 0, n, n, n} {
			t.Errorf("sorted as %v by %v", before.Within, core.LookBounds())
		}
		store.fail(fmt.Errorf("%w: unplugged", core.ErrUnavailable))
		log, _ := recorded()
		endpoint.Log = log
		ask(t, endpoint, "subscribed[a]=now&wait=0")
		after := endpoint.Figures().Looks
		if after.Failed == 0 || after.Failed != after.Count-before.Count {
			t.Errorf("with the store gone: %+v", after)
		}
	})
}

func TestErrorsAreCountedByTheirStatus(t *testing.T) {
	store := newMemory()
	endpoint := core.NewEndpoint(store, core.Settings{})
	endpoint.Log = discard
	for _, query := range []string{"", "publish=../etc/passwd", "subscribed[a]=1.x", "publish=a"} {
		ask(t, endpoint, query)
	}
	send(t, endpoint, httptest.NewRequest(http.MethodDelete, "/?publish=a", nil))
	store.fail(core.ErrUnavailable)
	ask(t, endpoint, "publish=a")
	store.fail(errors.New("not a regular file"))
	ask(t, endpoint, "publish=a") // false, as comet.php said it, with 200
	f := endpoint.Figures()
	if want := map[int]uint64{400: 3, 405: 1, 503: 1}; !reflect.DeepEqual(f.Errors, want) {
		t.Errorf("%v, want %v", f.Errors, want)
	}
	if f.Published != 1 || f.Unpublished != 2 {
		t.Errorf("%d publications were stored, and %d not; want 1, 2", f.Published, f.Unpublished)
	}
	f.Errors[400] = 99
	if endpoint.Figures().Errors[400] != 3 {
		t.Error("whoever has the figures can change what is counted")
	}
}

// A program that reads its configuration again has several endpoints one after another. Counters must not go backwards then.
func TestFiguresOfEndpointsAddUp(t *testing.T) {
	var one core.Figures
	fill(reflect.ValueOf(&one).Elem(), 1)
	one.Errors = map[int]uint64{400: 1, 403: 1}
	two := core.Figures{}
	fill(reflect.ValueOf(&two).Elem(), 2)
	two.Errors = map[int]uint64{403: 2, 500: 2}
	var want core.Figures
	fill(reflect.ValueOf(&want).Elem(), 3)
	want.Errors = map[int]uint64{400: 1, 403: 3, 500: 2}
	if got := one.Plus(two); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if one.Errors[403] != 1 || two.Errors[403] != 2 {
		t.Error("adding up changes what is added")
	}
	want.Waiting, want.Streams, want.Events = 0, 0, 0
	if got := one.Plus(two).Counted(); !reflect.DeepEqual(got, want) {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

// fill sets every number below the value, so that a new one can't be forgotten.
func fill(v reflect.Value, to int) {
	switch {
	case v.CanInt():
		v.SetInt(int64(to))
	case v.CanUint():
		v.SetUint(uint64(to))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), to)
		}
	case v.Kind() == reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), to)
		}
	}
}

func TestAStatusLocationAnswersWithFiguresAlone(t *testing.T) {
	store := newMemory()
	endpoint := core.NewEndpoint(store, core.Settings{Tries: 20, Sleep: 2 * time.Second, Status: true})
	for _, query := range []string{"", "publish=a", "subscribed[a]=now", "&1"} {
		status, body := ask(t, endpoint, query)
		var figures map[string]any
		if err := json.Unmarshal([]byte(body), &figures); status != http.StatusOK || err != nil || figures["waiting"] != 0.0 {
			t.Errorf("%q: HTTP %d %s", query, status, body)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodOptions, http.MethodDelete} {
		status, body := send(t, endpoint, httptest.NewRequest(method, "/?publish=a", strings.NewReader("publish=a")))
		if status != http.StatusMethodNotAllowed {
			t.Errorf("%s: HTTP %d %s", method, status, body)
		}
	}
	if len(store.stamps) != 0 {
		t.Error("it has published")
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept", "text/event-stream")
	if _, body := send(t, endpoint, r); !strings.HasPrefix(body, "{") {
		t.Errorf("a stream: %s", body)
	}
}

func TestWhatAnswersAStatusLocationCanBeReplaced(t *testing.T) {
	endpoint := core.NewEndpoint(newMemory(), core.Settings{Status: true})
	endpoint.Status = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { core.WriteJSON(w, "mine") })
	if status, body := ask(t, endpoint, "publish=a"); status != http.StatusOK || body != `"mine"` {
		t.Errorf("HTTP %d %s", status, body)
	}
}
