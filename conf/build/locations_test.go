package build_test

import (
	"fmt"
	"testing"

	"novcomet/conf/build"
)

func TestLimits(t *testing.T) {
	l := build.Limits(load(t, "COMET_MAX_WAITING=2", "COMET_MAX_EVENTS=3", "COMET_DATA_MAX_BYTES=4", "COMET_MAX_REQUEST=5000"))
	if l.MaxWaiting != 2 || l.MaxStreams != 2 || l.MaxEvents != 3 || l.MaxData != 4 || l.MaxAnswerData != 64 || l.MaxForm != 5000 {
		t.Errorf("%+v", l)
	}
}

func TestLocations_MakesEachLocationOnce(t *testing.T) {
	locations := build.NewLocations(load(t))
	of := func(variables map[string]string) string {
		l, err := locations.Of(variables)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%p", l)
	}
	common := of(map[string]string{"QUERY_STRING": "publish=a"})
	five := of(map[string]string{"COMET_TRIES": "5", "QUERY_STRING": "publish=a"})
	if of(map[string]string{"QUERY_STRING": "publish=b"}) != common || of(map[string]string{"COMET_TRIES": "5"}) != five {
		t.Error("the same settings are made again")
	}
	if five == common || of(map[string]string{"COMET_TRIES": "6"}) == five {
		t.Error("other settings are the same location")
	}
}

func TestLocations_RefusesInvalidSettings(t *testing.T) {
	if _, err := build.NewLocations(load(t)).Of(map[string]string{"COMET_TRIES": "many"}); err == nil {
		t.Error("no error")
	}
}
