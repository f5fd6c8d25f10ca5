package coretest_test

import (
	"testing"

	"novcomet/core/internal/coretest"
	"novcomet/core/store"
	"novcomet/core/store/storetest"
)

func TestMemory_KeepsContract(t *testing.T) {
	for name, watchable := range map[string]bool{"watched": true, "not watched": false} {
		t.Run(name, func(t *testing.T) {
			storetest.Test(t, storetest.Subject{Open: func(testing.TB, string) store.Store {
				memory := coretest.NewMemory()
				memory.Watchable = watchable
				return memory
			}})
		})
	}
}
