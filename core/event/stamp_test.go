package event_test

import (
	"testing"
	"time"

	"novcomet/core/event"
)

func TestStampOf_CountsMicrosecondsAndIsNeverZero(t *testing.T) {
	for _, test := range []struct {
		at     time.Time
		stamp  event.Stamp
		text   string
		second int64
	}{
		{time.Unix(1763800000, 123456789), 1763800000123456, "1763800000.123456", 1763800000},
		{time.Unix(1763800000, 999), 1763800000000000, "1763800000.000000", 1763800000},
		{time.Unix(0, 0), 1, "0.000001", 0},
		{time.Unix(-5, 0), 1, "0.000001", 0},
	} {
		stamp := event.StampOf(test.at)
		if stamp != test.stamp || stamp.String() != test.text || stamp.Second() != test.second {
			t.Errorf("StampOf(%v) = %d, %q, second %d; want %d, %q, %d",
				test.at, stamp, stamp, stamp.Second(), test.stamp, test.text, test.second)
		}
	}
}

func TestStamp_AddAndSubDropFractionsOfAMicrosecond(t *testing.T) {
	stamp := event.Stamp(5_000_000)
	if later := stamp.Add(1500*time.Millisecond + 999); later != 6_500_000 || later.Sub(stamp) != 1500*time.Millisecond {
		t.Errorf("%d, %v later", later, later.Sub(stamp))
	}
	if earlier := stamp.Add(-time.Second); earlier != 4_000_000 || earlier.Sub(stamp) != -time.Second {
		t.Errorf("%d, %v later", earlier, earlier.Sub(stamp))
	}
}
