package store_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"novcomet/core/store"
)

func TestIsUnsupported_IsFalseForErrorsOfTheKernel(t *testing.T) {
	for err, want := range map[error]bool{
		errors.ErrUnsupported:                          true,
		fmt.Errorf("watch: %w", errors.ErrUnsupported): true,
		fmt.Errorf("lock: %w", syscall.ENOSYS):         false,
		fmt.Errorf("lock: %w", syscall.EOPNOTSUPP):     false,
		store.ErrUnavailable:                           false,
	} {
		if got := store.IsUnsupported(err); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
	if store.IsUnsupported(nil) {
		t.Error("nil: true")
	}
}
