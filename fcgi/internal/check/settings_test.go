package check_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"novcomet/fcgi/internal/check"
)

func TestSettings_AreJudged(t *testing.T) {
	t.Parallel()
	r := installation{env: []string{"COMET_TRIES=40", "COMET_SLEEP=2"}}.check(t)
	wantFinding(t, r, check.OK, "configuration", "2 of ")
	wantFinding(t, r, check.Warning, "configuration", "1m20s", "fastcgi_read_timeout")

	r = installation{env: []string{"COMET_TRIES=many"}}.check(t)
	wantFinding(t, r, check.Problem, "configuration", "COMET_TRIES", `"many"`, "does not start")
	if !strings.Contains(textOf(t, r), "tries ") {
		t.Error("the invalid setting is not among the settings")
	}
}

func TestSettings_FilesOfSecretsThatEveryUserCanReadAreNamed(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("x", 32)
	file := filepath.Join(t.TempDir(), "secrets")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for variable, key := range map[string]string{
		"COMET_SUBSCRIBE_SECRET_FILE": "subscribe.secret_file",
		"COMET_REDIS_PASSWORD_FILE":   "redis.password_file",
	} {
		for mode, warned := range map[os.FileMode]bool{0o640: false, 0o644: true} {
			if err := os.Chmod(file, mode); err != nil {
				t.Fatal(err)
			}
			r := installation{env: []string{variable + "=" + file}}.check(t)
			text := textOf(t, r)
			warning := "every user of this machine can read " + key + ": " + file
			if warned {
				wantFinding(t, r, check.Warning, "configuration", warning, "chmod o-r "+file)
			}
			if strings.Contains(text, "every user of this machine can read") != warned {
				t.Errorf("mode %v: warned %v, want %v:\n%s", mode, !warned, warned, text)
			}
			if strings.Contains(text, secret) {
				t.Errorf("the report shows a secret:\n%s", text)
			}
		}
	}
}
