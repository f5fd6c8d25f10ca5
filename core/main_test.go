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
	// The same few hundred histories each time, so that a change alone decides the result. Flags of the command line win.
	for name, value := range map[string]string{"rapid.checks": "300", "rapid.seed": "1"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}
