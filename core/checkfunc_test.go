package core_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core"
	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
)

func TestCheckFunc_ChecksEachEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := core.CheckFunc(func(_ context.Context, id event.ID) (time.Time, error) {
			time.Sleep(time.Millisecond)
			switch id.String() {
			case "a":
				return coretest.Start.Add(-1500 * time.Nanosecond), nil
			case "1970":
				return time.Unix(0, 0), nil
			}
			return time.Time{}, nil
		})
		ids := []event.ID{coretest.MustID("none"), coretest.MustID("a"), coretest.MustID("1970")}
		snapshot, err := f.Check(t.Context(), ids)
		start := event.StampOf(coretest.Start)
		if err != nil || snapshot.Now != start || snapshot.Partial != nil || len(snapshot.Stamps) != 3 ||
			snapshot.Stamps[0] != 0 || snapshot.Stamps[1] != start-2 || snapshot.Stamps[2] != 1 {
			t.Errorf("%+v, %v", snapshot, err)
		}
		if snapshot, err := f.Check(t.Context(), nil); err != nil || snapshot.Now != start.Add(3*time.Millisecond) {
			t.Errorf("without ids: %+v, %v", snapshot, err)
		}
	})
}

func TestCheckFunc_AnswersPollsWhenTheTimeChanges(t *testing.T) {
	f := core.CheckFunc(func(context.Context, event.ID) (time.Time, error) {
		switch now := time.Since(coretest.Start); {
		case now < 3*time.Second:
			return time.Time{}, nil
		case now < 7*time.Second:
			return time.Time{}, errors.New("the database is locked")
		default:
			return coretest.Start.Add(7 * time.Second), nil
		}
	})
	inBubble(t, f, core.Options{}, func(g *group) {
		g.poll(0, "subscribed[a]=now", `{"s":1,"k":{"a":{7.0}},"at":{"a":"{7.0}"}}`, 8*time.Second)
		g.poll(0, "subscribed[a]=now&data=1", `{"s":1,"k":{"a":{7.0}},"at":{"a":"{7.0}"}}`, 8*time.Second)
		g.poll(0, "subscribed[a]={0}", `{"s":1,"k":{"a":{7}}}`, 8*time.Second+coretest.Lag)
		g.poll(0, "subscribed[a]=0.0&wait=1", `{"s":0,"at":{"a":"0.000000"}}`, time.Second)
	})
}

func TestCheckFunc_ReportsWhichEventFailed(t *testing.T) {
	locked := errors.New("the database is locked")
	f := core.CheckFunc(func(context.Context, event.ID) (time.Time, error) { return time.Now(), locked })
	_, err := f.Check(t.Context(), []event.ID{coretest.MustID("a b")})
	if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, locked) || !strings.Contains(err.Error(), `"a b"`) {
		t.Error(err)
	}
}

func TestCheckFunc_CannotBePublished(t *testing.T) {
	endpoint := newEndpoint(core.CheckFunc(neverChanged), core.Location{})
	status, body := send(t, endpoint, newRequest(http.MethodGet, "publish=a"))
	if status != http.StatusForbidden || !strings.Contains(body, "cannot be published") {
		t.Errorf("HTTP %d %s", status, body)
	}
	if n := endpoint.Metrics().PublishFailures.Load(); n != 0 {
		t.Errorf("%d failures counted", n)
	}
}
