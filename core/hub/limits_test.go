package hub_test

import (
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core/hub"
)

func TestAlarm_IsDueOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var alarm hub.Alarm
		due := 0
		for range 10 * 60 {
			if alarm.IsDue() {
				due++
			}
			time.Sleep(time.Second)
		}
		if due != 10 {
			t.Errorf("%d lines in ten minutes, want 10", due)
		}
	})
}
