package e2e_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// The tests wait more than they compute, so many run at the same time, also on few processors.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "16")
	status := m.Run()
	if status == 0 {
		if err := goleak.Find(); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			status = 1
		}
	}
	os.Exit(status)
}
