package check_test

import (
	"strings"
	"testing"
)

func TestText_ShowsOnlySettingsThatDifferFromTheDefault(t *testing.T) {
	t.Parallel()
	const set = 3 // by options: file.directory, tries and sleep
	settings, _, _ := strings.Cut(text(t, arranged{}.look(t)), "\n\n")
	lines := strings.Count(settings, "\n") + 1
	knownFailure(t, lines <= set, "%d lines come before the verdict, of which %d are set", lines, set)
}

// knownFailure marks a test of what is still to be built. It fails when the test passes, so that the mark is removed then.
func knownFailure(t *testing.T, passes bool, format string, values ...any) {
	t.Helper()
	if passes {
		t.Error("this passes now: remove the mark")
		return
	}
	t.Logf("known failure: "+format, values...)
}
