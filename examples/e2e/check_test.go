package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"novcomet/examples/internal/launch"
)

var threeSeconds = map[string]string{"tries": "6", "sleep": "0.5"} // the wait of a poll

// checkFinding is a finding of comet-fcgi check.
type checkFinding struct{ Check, Verdict, Found, Do string }

func (f checkFinding) String() string {
	return fmt.Sprintf("%s %s: %s → %s", f.Verdict, f.Check, f.Found, f.Do)
}

// checkFindings are the findings of one run.
type checkFindings []checkFinding

func (all checkFindings) String() string {
	var b strings.Builder
	for _, f := range all {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}

// has reports whether a finding matches want, which is "VERDICT CHECK: TEXT". The text is a part of what was
// found, or of what to do.
func (all checkFindings) has(want string) bool {
	verdict, rest, _ := strings.Cut(want, " ")
	check, text, _ := strings.Cut(rest, ": ")
	return slices.ContainsFunc(all, func(f checkFinding) bool {
		contains := strings.Contains(f.Found, text) || strings.Contains(f.Do, text)
		return f.Verdict == verdict && f.Check == check && contains
	})
}

// runCheck runs comet-fcgi check with the URL, and returns its findings and its exit status.
func runCheck(t *testing.T, site *launch.Site, url string, env []string) (findings checkFindings, status int) {
	t.Helper()
	args := []string{"check", url, "--json"}
	if socket := site.Socket(); socket != "" {
		args = append(args, "--listen", "unix:"+socket)
	}
	cmd := site.Command(t.Context(), env, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // The exit status is in cmd.ProcessState.
	if cmd.ProcessState == nil {
		t.Fatalf("comet-fcgi did not start: %s", &stderr)
	}
	var report struct{ Findings checkFindings }
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
		t.Fatalf("%v: %s%s", err, &stdout, &stderr)
	}
	return report.Findings, cmd.ProcessState.ExitCode()
}

// wantFindings runs comet-fcgi check up to three times, until judge finds nothing wrong with its report. A
// machine that is busy for a second can look like a mistake of its administrator.
func wantFindings(t *testing.T, site *launch.Site, url string, env []string,
	judge func(findings checkFindings, status int) (wrong []string)) {
	t.Helper()
	var wrong []string
	var findings checkFindings
	for range 3 {
		var status int
		findings, status = runCheck(t, site, url, env)
		if wrong = judge(findings, status); len(wrong) == 0 {
			return
		}
	}
	t.Errorf("%s, in:\n%s", strings.Join(wrong, "\n"), findings)
}

func TestCheck_FindsMistake(t *testing.T) {
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			o := m.options
			o.Server, o.Settings = m.server, merge(threeSeconds, m.options.Settings)
			site := launchSite(t, o)
			url := site.URL + "/comet.php"
			if m.url != nil {
				url = m.url(t, site)
			}
			if m.spoil != nil {
				m.spoil(t, site)
			}
			wantFindings(t, site, url, m.env, func(findings checkFindings, status int) (wrong []string) {
				for _, want := range m.want {
					if !findings.has(want) {
						wrong = append(wrong, fmt.Sprintf("no finding %q", want))
					}
				}
				wantStatus := 0
				for _, f := range findings {
					if f.Verdict == "problem" {
						wantStatus = 1
					}
					if f.Verdict != "ok" && f.Do == "" {
						wrong = append(wrong, "this finding does not say what to do: "+f.String())
					}
				}
				if status != wantStatus {
					wrong = append(wrong, fmt.Sprintf("exit status %d, want %d", status, wantStatus))
				}
				return wrong
			})
		})
	}
}

// checkNames are the checks of a site with nginx or mod_proxy_fcgi.
var checkNames = []string{
	"configuration", "directory", "inotify", "socket", "store", "URL", "header", "delivery", "publish", "cache",
	"stream", "own pages", "time-out",
}

func TestCheck_FindsNothingWrongWithGoodSite(t *testing.T) {
	servers := []launch.Server{launch.Nginx, launch.ApacheProxy}
	o := launch.Options{Settings: merge(threeSeconds, map[string]string{"publish.allow": nobody})}
	forEachServer(t, servers, o, func(t *testing.T, site *launch.Site) {
		wantFindings(t, site, site.URL+"/comet.php", nil, func(findings checkFindings, status int) (wrong []string) {
			if status != 0 {
				wrong = append(wrong, fmt.Sprintf("exit status %d, want 0", status))
			}
			for _, f := range findings {
				if f.Verdict != "ok" || f.Do != "" {
					wrong = append(wrong, "unexpected finding: "+f.String())
				}
			}
			for _, check := range checkNames {
				if !findings.has("ok " + check + ": ") {
					wrong = append(wrong, "no finding of "+check)
				}
			}
			return wrong
		})
		if left, err := filepath.Glob(filepath.Join(site.Events, "*")); err != nil || len(left) > 0 {
			t.Errorf("the check leaves %q (%v)", left, err)
		}
	})
}
