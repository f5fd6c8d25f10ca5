//go:build long

package core_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A test that can't fail is worth nothing: each rule of delivery is broken in turn, and random histories must find it out.
func TestEveryBrokenRuleIsFoundByTheHistories(t *testing.T) {
	if output, err := unbroken.try(t, "", 1000); err != nil {
		t.Fatalf("with no rule broken: %v\n%s", err, output)
	}
	const atOnce = 2 // Each of them has one processor's work.
	slots := make(chan struct{}, atOnce)
	for i, m := range slices.Concat(mutations, mutationsOfStreams) {
		histories := "$"
		if i >= len(mutations) {
			histories = "OfStreamsAndData$"
		}
		t.Run(strings.ReplaceAll(m.rule, " ", "_"), func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			output, err := m.try(t, histories, 20000)
			found := brokenPromise.FindStringSubmatch(output)
			switch {
			case err == nil:
				t.Errorf("%s: %q in the place of %q is not found", m.file, m.broken, m.text)
			case found == nil:
				t.Errorf("%v:\n%s", err, output)
			default:
				t.Logf("found after %s histories: %s", found[1], found[2])
			}
		})
	}
}

// brokenPromise is the report of a history that broke the promise; another failure, as of the compiler, is not what a
// mutation is for.
var brokenPromise = regexp.MustCompile(`\[rapid\] (?:failed after (\d+) tests: |flaky test(?s:.{0,900}?) traceback \()((?:missed|hidden|spurious|invented|early|unchanged|cursor|left|malformed|stale|torn|dataless|ended|unended|late)\b[^\n]*)`)

// unbroken puts a text in its own place.
var unbroken = mutation{"none", "poll.go", "package core", "package core"}

// try runs so many histories, of those whose test has a name that ends like this, against the package with the rule
// broken: always the same histories, for some rules are only needed once in thousands, and what is found here must be found everywhere.
func (m mutation) try(t *testing.T, histories string, checks int) (output string, err error) {
	original, source := m.mutated(t)
	directory := t.TempDir()
	copied, overlay := filepath.Join(directory, m.file), filepath.Join(directory, "overlay.json")
	mustWrite(t, copied, source)
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: copied}})
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, overlay, string(replace))
	command := exec.CommandContext(t.Context(), "go", "test", "-overlay", overlay, "-vet=off", "-count=1", "-timeout=10m",
		"-run=^TestThePromiseIsKeptInEveryHistory"+histories, ".", "-rapid.checks="+strconv.Itoa(checks), "-rapid.seed=1", "-rapid.shrinktime=0s", "-rapid.nofailfile")
	all, err := command.CombinedOutput()
	return string(all), err
}
