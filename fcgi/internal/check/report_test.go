package check_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"novcomet/fcgi/internal/check"
)

func TestReport_Text(t *testing.T) {
	t.Parallel()
	r := &check.Report{Findings: []check.Finding{
		{Check: "a", Verdict: check.OK, Found: "fine"},
		{Check: "b", Verdict: check.Warning, Found: "so\x1b[31m\nso", Do: "better"},
	}}
	const want = "ok       a              fine\n" +
		"warning  b              so [31m so\n" +
		"                        → better\n"
	if got := textOf(t, r); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestReport_TextShowsOnlySettingsThatDifferFromTheDefaults(t *testing.T) {
	t.Parallel()
	// file.directory, tries and sleep differ. max_serving has its default.
	r := installation{env: []string{"COMET_MAX_SERVING=32"}}.check(t)
	settings, verdicts, _ := strings.Cut(textOf(t, r), "\n\n")
	lines := strings.Split(settings, "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "tries ") || !strings.HasPrefix(lines[1], "sleep ") ||
		!strings.HasPrefix(lines[2], "file.directory ") || !strings.HasSuffix(lines[0], "environment variable COMET_TRIES") {
		t.Errorf("the settings:\n%s", settings)
	}
	if !strings.HasPrefix(verdicts, "ok       configuration  no comet.yaml; 3 of ") {
		t.Errorf("the verdicts:\n%s", verdicts)
	}

	t.Run("verbose shows all settings", func(t *testing.T) {
		var b strings.Builder
		if err := r.Text(&b, true); err != nil {
			t.Fatal(err)
		}
		settings, _, _ := strings.Cut(b.String(), "\n\n")
		lines := strings.Split(settings, "\n")
		if len(lines) != len(r.Settings) || !strings.HasSuffix(lines[2], "  environment variable COMET_FILE_DIRECTORY") ||
			!strings.HasSuffix(lines[3], "  default") {
			t.Errorf("%d lines, want %d:\n%s", len(lines), len(r.Settings), settings)
		}
	})
}

func TestReport_JSON(t *testing.T) {
	t.Parallel()
	r := installation{}.check(t)
	var b bytes.Buffer
	if err := r.JSON(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Verdict  check.Verdict
		Findings []check.Finding
		Settings []struct{ Key, Value, From string }
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Verdict != r.Verdict() || len(got.Findings) != len(r.Findings) || got.Findings[0] != r.Findings[0] {
		t.Errorf("%s", &b)
	}
	if len(got.Settings) != len(r.Settings) || got.Settings[0].Key != "tries" || got.Settings[0].Value != "10" {
		t.Errorf("settings: %+v", got.Settings)
	}
}

func TestReport_VerdictIsTheWorst(t *testing.T) {
	t.Parallel()
	const ok, warning, problem = check.OK, check.Warning, check.Problem
	for _, test := range []struct {
		findings []check.Verdict
		want     check.Verdict
	}{
		{nil, ok}, {[]check.Verdict{ok}, ok}, {[]check.Verdict{ok, warning, ok}, warning},
		{[]check.Verdict{warning, problem, warning, ok}, problem}, {[]check.Verdict{problem, ok}, problem},
	} {
		r := &check.Report{}
		for _, v := range test.findings {
			r.Findings = append(r.Findings, check.Finding{Verdict: v})
		}
		if got := r.Verdict(); got != test.want {
			t.Errorf("%v: %s, want %s", test.findings, got, test.want)
		}
	}
}
