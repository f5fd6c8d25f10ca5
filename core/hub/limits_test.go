package hub_test

import (
	"testing"

	"novcomet/core/hub"
)

func TestAlarm_BeginsOnceUntilUseIsBelow90Percent(t *testing.T) {
	var alarm hub.Alarm
	for i, step := range []struct {
		used, limit     int
		reached, begins bool
	}{
		{99, 100, false, false}, {100, 100, true, true}, {101, 100, true, false},
		{90, 100, false, false}, {100, 100, true, false},
		{89, 100, false, false}, {100, 100, true, true},
		{1000, 0, false, false}, {100, 100, true, true},
		{0, 1, false, false}, {1, 1, true, true},
	} {
		if reached, begins := alarm.IsReached(step.used, step.limit); reached != step.reached || begins != step.begins {
			t.Errorf("step %d, %d of %d: %v, %v", i, step.used, step.limit, reached, begins)
		}
	}
}
