package check_test

import (
	"testing"
	"time"

	"novcomet/core/access"
	"novcomet/fcgi/internal/check"
)

func TestTimeout_IsTestedOnlyAsLongAsWait(t *testing.T) {
	t.Parallel()
	e, directory := endpoint(t, access.Rules{})
	env := []string{"COMET_FILE_DIRECTORY=" + directory}
	r := installation{url: serve(t, e), wait: 50 * time.Millisecond, env: env}.check(t)
	wantFinding(t, r, check.OK, "time-out", "50ms at least", "--wait")
}
