package conf

import "testing"

func TestData_MaxAnswerIs16TimesMaxBytes(t *testing.T) {
	for maxBytes, want := range map[int]int{1: 16, 65536: 1 << 20, 16 << 20: 256 << 20} {
		if got := (Data{MaxBytes: maxBytes}).MaxAnswer(); got != want {
			t.Errorf("%d: %d, want %d", maxBytes, got, want)
		}
	}
}
