package core_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// A goroutine that is left over fails the run.
func TestMain(m *testing.M) {
	if os.Getenv(publisherVariable) != "" {
		publishAsTold()
		return
	}
	if os.Getenv("RAPID_CHECKS") == "" { // -rapid.checks still wins.
		_ = flag.Set("rapid.checks", "1500")
	}
	goleak.VerifyTestMain(m)
}
