package e2e_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// The tests wait more than they compute, so many run at the same time, also on few processors.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "16")
	goleak.VerifyTestMain(m)
}
