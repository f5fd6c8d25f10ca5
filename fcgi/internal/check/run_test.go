package check_test

import (
	"cmp"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"novcomet/conf"
	"novcomet/core"
	"novcomet/core/access"
	"novcomet/core/store"
	"novcomet/core/store/files"
	"novcomet/fcgi/internal/check"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// installation is what a test examines.
type installation struct {
	env        []string
	listen     string
	store      store.Store // default: files
	storeError error
	url        string
	wait       time.Duration // default: 100ms, so that no test waits until polls end unchanged
	event      string
}

func (i installation) options(t *testing.T) check.Options {
	source := conf.Source{
		File:    os.DevNull,
		Environ: append([]string{"COMET_FILE_DIRECTORY=" + t.TempDir(), "COMET_TRIES=10", "COMET_SLEEP=500ms"}, i.env...),
		Flags:   map[string]string{},
	}
	if i.listen != "" {
		source.Flags["listen"] = i.listen
	}
	return check.Options{
		Source: source, URL: i.url, Wait: cmp.Or(i.wait, 100*time.Millisecond), Event: i.event,
		OpenStore: func(c conf.Config) (store.Store, error) {
			if i.store != nil {
				return i.store, i.storeError
			}
			return &files.Store{Directory: c.File.Directory, Mode: c.File.Mode}, i.storeError
		},
	}
}

func (i installation) check(t *testing.T) *check.Report {
	t.Helper()
	report, err := check.Run(t.Context(), i.options(t))
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// wantFinding fails unless the report has a finding with these words.
func wantFinding(t *testing.T, r *check.Report, verdict check.Verdict, about string, words ...string) {
	t.Helper()
	for _, f := range r.Findings {
		missing := f.Check != about || f.Verdict != verdict
		for _, word := range words {
			missing = missing || !strings.Contains(f.Found+f.Do, word)
		}
		if !missing {
			return
		}
	}
	t.Errorf("no %s about %s with %q in:\n%s", verdict, about, words, textOf(t, r))
}

func textOf(t *testing.T, r *check.Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.Text(&b, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// endpoint returns NovComet with a directory of its own.
func endpoint(t *testing.T, rules access.Rules) (h http.Handler, directory string) {
	t.Helper()
	directory = t.TempDir()
	s := &files.Store{Directory: directory, Mode: 0o600, FineTimestamps: true}
	location := core.Location{Tries: 10, Sleep: 500 * time.Millisecond, Access: rules}
	e := core.NewEndpoint(s, core.Options{Location: location})
	t.Cleanup(e.Close)
	return e, directory
}

func patterns(t *testing.T, allowed ...string) access.Patterns {
	t.Helper()
	p, err := access.ParsePatterns(allowed)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRun_RefusesInvalidOptions(t *testing.T) {
	t.Parallel()
	for _, i := range []installation{
		{url: "localhost/comet.php"}, {url: "ftp://localhost/"}, {url: "http://"}, {url: ":"}, {event: "../x"},
	} {
		if _, err := check.Run(t.Context(), i.options(t)); err == nil {
			t.Errorf("%+v: no error", i)
		}
	}
}

func TestRun_FindsNoProblemInAGoodInstallationAndLeavesNoFile(t *testing.T) {
	t.Parallel()
	e, directory := endpoint(t, access.Rules{})
	env := []string{"COMET_FILE_DIRECTORY=" + directory}
	r := installation{url: serve(t, e), wait: time.Minute, env: env}.check(t)
	for _, about := range []string{"URL", "header", "delivery", "cache", "stream", "time-out"} {
		wantFinding(t, r, check.OK, about)
	}
	wantFinding(t, r, check.Warning, "publish", "publish.allow")
	if r.Verdict() != check.Warning {
		t.Errorf("verdict %s:\n%s", r.Verdict(), textOf(t, r))
	}
	if files, err := filepath.Glob(filepath.Join(directory, "*")); err != nil || len(files) > 0 {
		t.Errorf("the check leaves %q behind (%v)", files, err)
	}
}

func TestRun_KeepsAnEventOfTheAdministrator(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"news", "novcomet-check-mine"} {
		e, directory := endpoint(t, access.Rules{})
		r := installation{url: serve(t, e), env: []string{"COMET_FILE_DIRECTORY=" + directory}, event: id}.check(t)
		wantFinding(t, r, check.OK, "delivery")
		if _, err := os.Stat(filepath.Join(directory, id+".comet")); err != nil {
			t.Error(err)
		}
	}
}
