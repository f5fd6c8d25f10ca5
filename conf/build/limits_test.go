package build_test

import (
	"testing"

	"novcomet/conf/build"
	"novcomet/core"
)

func TestLimits(t *testing.T) {
	c := load(t, "COMET_MAX_WAITING=2", "COMET_MAX_EVENTS=3", "COMET_DATA_MAX_BYTES=4", "COMET_MAX_REQUEST=5000")
	want := core.Limits{MaxForm: 5000, MaxStreams: 2}
	want.MaxWaiting, want.MaxEvents, want.MaxData, want.MaxAnswerData = 2, 3, 4, 64
	if l := build.Limits(c); l != want {
		t.Errorf("%+v, want %+v", l, want)
	}
}
