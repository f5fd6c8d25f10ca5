package check_test

import (
	"testing"

	"novcomet/fcgi/internal/check"
)

func TestOpenFiles_AreComparedWithMaxWaiting(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		connections int
		maxWaiting  string
		verdict     check.Verdict
		words       []string
	}{
		{10_000, "0", check.OK, []string{"room for 10000"}},
		{100, "0", check.Warning, []string{"room for 100", "LimitNOFILE"}},
		{100, "50", check.OK, nil},
		{100, "101", check.Problem, []string{"max_waiting is 101", "LimitNOFILE"}},
	} {
		r := installation{connections: test.connections, env: []string{"COMET_MAX_WAITING=" + test.maxWaiting}}.check(t)
		wantFinding(t, r, test.verdict, "open files", test.words...)
	}
}
