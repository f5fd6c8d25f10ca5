//go:build long

package sim

import (
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Two programs have all broken rules in them. For each variant of each rule, one of them plays the histories
// with that variant in force.
func TestHistories_DetectEachBrokenRule(t *testing.T) {
	rules, sources := breakableRules(t)
	direct, throughReactor := buildWith(t, ".", sources), buildWith(t, reactor, sources)
	programs := map[string]string{testOfPolls: direct, testOfStreams: direct, testOfReactor: throughReactor}
	for test, program := range programs {
		const none = 0
		if output, err := playHistories(t, program, test, 1000, none); err != nil {
			t.Fatalf("with no rule broken: %v\n%s", err, output)
		}
	}
	const atOnce = 2 // Each of them uses one processor.
	slots := make(chan struct{}, atOnce)
	for _, r := range rules {
		test := testOfPolls
		if strings.HasPrefix(r.name, "stream-") || strings.HasPrefix(r.name, "data-") {
			test = testOfStreams
		} else if strings.HasPrefix(r.name, "server-") {
			test = testOfReactor
		}
		for i, variant := range r.variants {
			t.Run(r.name+"/"+variant, func(t *testing.T) {
				t.Parallel()
				slots <- struct{}{}
				defer func() { <-slots }()
				output, err := playHistories(t, programs[test], test, 20000, r.first+i)
				found := brokenPromise.FindStringSubmatch(output)
				switch {
				case err == nil:
					t.Errorf("%v: no history detects that the rule is broken", r.at)
				case found == nil:
					t.Errorf("%v: the histories do not end with a verdict: %v\n%s", r.at, err, output)
				default:
					t.Logf("detected after %s histories: %s", cmp.Or(found[1], "some"), found[2])
				}
			})
		}
	}
}

const (
	testOfPolls   = "TestHistories_OfPolls"
	testOfStreams = "TestHistories_OfStreamsAndData"
	testOfReactor = "TestHistories_ThroughTheReactor"
)

// brokenPromise is the report of a history that broke the promise. Any other failure, such as a panic, does
// not count.
var brokenPromise = regexp.MustCompile(`\[rapid\] ` +
	`(?:failed after (\d+) tests: |flaky test(?s:.{0,900}?) traceback \()` +
	`((?:missed|hidden|spurious|invented|early|unchanged|cursor|left|malformed|` +
	`stale|torn|dataless|ended|unended|late|closed|kept|full)\b[^\n]*)`)

// buildWith builds the tests of a package with the sources in place of the files.
func buildWith(t *testing.T, directory string, sources map[string][]byte) (program string) {
	t.Helper()
	temporary := t.TempDir()
	replace := map[string]string{}
	for path, source := range sources {
		replace[path] = filepath.Join(temporary, strconv.Itoa(len(replace))+".go")
		mustWrite(t, replace[path], string(source))
	}
	content, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(temporary, "overlay.json")
	mustWrite(t, overlay, string(content))
	program = filepath.Join(temporary, "histories.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", overlay, "-o", program, directory)
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build with breakable rules: %v\n%s", err, output)
	}
	return program
}

// playHistories plays the same histories each time, because some rules matter only in one of ten thousand.
func playHistories(t *testing.T, program, test string, checks, broken int) (output string, err error) {
	command := exec.CommandContext(t.Context(), program, "-test.run=^"+test+"$", "-test.timeout=10m",
		"-rapid.checks="+strconv.Itoa(checks), "-rapid.seed=1", "-rapid.shrinktime=0s", "-rapid.nofailfile")
	command.Env = append(os.Environ(), brokenRule+"="+strconv.Itoa(broken))
	all, err := command.CombinedOutput()
	return string(all), err
}

func mustWrite(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
