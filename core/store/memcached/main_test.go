package memcached_test

import (
	"testing"

	"go.uber.org/goleak"
)

// A goroutine that is left over fails the run.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
