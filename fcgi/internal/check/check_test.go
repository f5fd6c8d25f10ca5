package check_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/goleak"

	"novcomet/conf"
	"novcomet/core"
	"novcomet/fcgi/internal/check"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// arranged is a machine to look at.
type arranged struct {
	env   []string
	flags map[string]string
	store core.Store // nil: the directory
	fails error      // to open it
	room  int        // connections; 0: enough
	url   string
	wait  time.Duration
	event string
}

func (a arranged) look(t *testing.T) *check.Report {
	t.Helper()
	report, err := check.Run(t.Context(), a.options(t))
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func (a arranged) options(t *testing.T) check.Options {
	env := append([]string{"COMET_FILE_DIRECTORY=" + t.TempDir(), "COMET_TRIES=2", "COMET_SLEEP=500ms"}, a.env...)
	return check.Options{
		Source: conf.Source{File: os.DevNull, Environ: env, Flags: a.flags}, URL: a.url, Wait: a.wait, Event: a.event,
		Store: func(c conf.Config) (core.Store, func() error, error) {
			if a.store != nil || a.fails != nil {
				return a.store, func() error { return nil }, a.fails
			}
			return &core.Files{Directory: c.File.Directory, Mode: c.File.Mode}, func() error { return nil }, nil
		},
		Connections: func(uint64) int {
			if a.room != 0 {
				return a.room
			}
			return 10_000
		},
	}
}

// wants fails unless the report has a finding of that verdict and check with these words, in what is found or to be done.
func wants(t *testing.T, r *check.Report, verdict check.Verdict, about string, words ...string) {
	t.Helper()
	for _, f := range r.Findings {
		if f.Check != about || f.Verdict != verdict {
			continue
		}
		all := true
		for _, word := range words {
			all = all && strings.Contains(f.Found+f.Do, word)
		}
		if all {
			return
		}
	}
	t.Errorf("no %s about %s with %q in:\n%s", verdict, about, words, text(t, r))
}

func text(t *testing.T, r *check.Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.Text(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// remote is a store on another machine.
type remote struct {
	fails  error
	slow   time.Duration
	behind time.Duration
}

func (r remote) Stamps(_ context.Context, ids []core.ID) (core.Snapshot, error) {
	time.Sleep(r.slow) // It is this long that the store takes.
	return core.Snapshot{Now: core.StampOf(time.Now().Add(-r.behind)), Stamps: make([]core.Stamp, len(ids))}, r.fails
}

func (r remote) Publish(context.Context, core.ID) (core.Stamp, error) { return 1, r.fails }

func TestAStoreOutOfReachIsAProblem(t *testing.T) {
	t.Parallel()
	wants(t, arranged{store: remote{}}.look(t), check.OK, "store", "answers after")
	r := arranged{store: remote{fails: fmt.Errorf("%w: connection refused", core.ErrUnavailable)}}.look(t)
	wants(t, r, check.Problem, "store", "connection refused", "start it")
	wants(t, arranged{fails: errors.New("redis.password_file: no such file")}.look(t), check.Problem, "store", "redis.password_file")
	wants(t, arranged{store: remote{slow: 150 * time.Millisecond}}.look(t), check.Warning, "store", "answers after", "nearer")
	wants(t, arranged{store: remote{behind: time.Minute}}.look(t), check.Warning, "store", "behind this machine's", "NTP")
	wants(t, arranged{store: remote{behind: -time.Minute}}.look(t), check.Warning, "store", "ahead of this machine's", "NTP")
}

func TestTheDirectoryAndWhoMayWriteThereAreLookedAt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "a-file")
	for _, err := range []error{os.WriteFile(file, nil, 0o600), os.Mkdir(filepath.Join(dir, "open"), 0o700), os.Chmod(filepath.Join(dir, "open"), 0o777)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	in := func(name string) *check.Report {
		return arranged{env: []string{"COMET_FILE_DIRECTORY=" + name}}.look(t)
	}
	wants(t, in(dir), check.OK, "directory", dir, "drwx")
	wants(t, in(dir), check.OK, "inotify", "reports changes")
	wants(t, in(filepath.Join(dir, "none")), check.Problem, "directory", "no such file", "install -d")
	wants(t, in(file), check.Problem, "directory", "not a directory")
	wants(t, in(filepath.Join(dir, "open")), check.Warning, "directory", "every user of this machine can delete", "chmod o-w")
	wants(t, arranged{env: []string{"COMET_FILE_NOTIFY=no"}}.look(t), check.OK, "inotify", "file.notify is false")
}

func TestLimitsAreHeldAgainstTheSettings(t *testing.T) {
	t.Parallel()
	wants(t, arranged{}.look(t), check.OK, "open files", "room for 10000")
	wants(t, arranged{room: 100}.look(t), check.Warning, "open files", "room for 100", "LimitNOFILE")
	wants(t, arranged{room: 100, env: []string{"COMET_MAX_WAITING=50"}}.look(t), check.OK, "open files")
	wants(t, arranged{room: 100, env: []string{"COMET_MAX_WAITING=101"}}.look(t), check.Problem, "open files", "max_waiting is 101", "LimitNOFILE")
}

func TestTheConfigurationIsShownAndJudged(t *testing.T) {
	t.Parallel()
	r := arranged{env: []string{"COMET_TRIES=40", "COMET_SLEEP=2"}}.look(t)
	wants(t, r, check.OK, "configuration", "3 of ")
	wants(t, r, check.Warning, "configuration", "1m20s", "fastcgi_read_timeout")
	if said := text(t, r); !strings.Contains(said, "environment variable COMET_TRIES") || !strings.Contains(said, "  default\n") {
		t.Errorf("it does not show where values come from:\n%s", said)
	}
	r = arranged{env: []string{"COMET_TRIES=many"}}.look(t)
	wants(t, r, check.Problem, "configuration", "COMET_TRIES", `"many"`, "does not start")
	if len(r.Settings) == 0 {
		t.Error("it does not show the settings of which one is wrong")
	}
}

func TestFilesOfSecretsThatEveryUserCanReadAreNamed(t *testing.T) {
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
			r := arranged{env: []string{variable + "=" + file}}.look(t)
			said := text(t, r)
			if warned {
				wants(t, r, check.Warning, "configuration", "every user of this machine can read "+key+": "+file, "chmod o-r "+file)
			}
			if strings.Contains(said, "every user of this machine can read") != warned {
				t.Errorf("mode %v: warned %v, want %v:\n%s", mode, !warned, warned, said)
			}
			if strings.Contains(said, secret) {
				t.Errorf("it shows a secret:\n%s", said)
			}
		}
	}
}

func TestASocketOnWhichNobodyAnswersIsAProblem(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "check-") // A socket's path is short.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	stale := filepath.Join(dir, "stale.sock")
	l, err := net.Listen("unix", stale)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	for listen, words := range map[string][]string{
		"unix:" + filepath.Join(dir, "none.sock"): {"no such file", "systemctl status"},
		"unix:" + stale:              {"no program answers"},
		"unix:" + plain:              {"not a socket", "remove it"},
		web.Listener.Addr().String(): {"FastCGI program"},
	} {
		r := arranged{flags: map[string]string{"listen": listen}}.look(t)
		wants(t, r, check.Problem, "socket", words...)
	}
}

func TestTheReportIsForPersonsAndPrograms(t *testing.T) {
	t.Parallel()
	r := &check.Report{Findings: []check.Finding{
		{Check: "a", Verdict: check.OK, Found: "fine"},
		{Check: "b", Verdict: check.Warning, Found: "so\x1b[31m\nso", Do: "better"},
	}}
	if got, want := text(t, r), "ok       a              fine\nwarning  b              so [31m so\n                        → better\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var b bytes.Buffer
	if err := r.JSON(&b); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Verdict  check.Verdict
		Findings []check.Finding
	}
	if err := json.Unmarshal(b.Bytes(), &read); err != nil || read.Verdict != check.Warning || len(read.Findings) != 2 || read.Findings[1] != r.Findings[1] {
		t.Errorf("%v: %s", err, &b)
	}
	r.Findings = append(r.Findings, check.Finding{Verdict: check.Problem}, check.Finding{Verdict: check.OK})
	if r.Verdict() != check.Problem || (&check.Report{}).Verdict() != check.OK {
		t.Error("the verdict is not the worst of all")
	}
}

func TestOptionsThatAreWrongAreAnError(t *testing.T) {
	t.Parallel()
	for _, a := range []arranged{{url: "localhost/comet.php"}, {url: "ftp://localhost/"}, {url: "http://"}, {url: ":"}, {event: "../x"}} {
		if _, err := check.Run(t.Context(), a.options(t)); err == nil {
			t.Errorf("%+v: no error", a)
		}
	}
}
