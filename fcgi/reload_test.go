package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"novcomet/conf/conftest"
)

// reloading is a comet-fcgi whose comet.yaml a test changes.
type reloading struct {
	*program
	t    *testing.T
	path string
	yaml string
}

func startReloading(t *testing.T, yaml string) *reloading {
	t.Helper()
	socket, path := boundSocket(t)
	r := &reloading{t: t, path: path, yaml: filepath.Join(filepath.Dir(path), "comet.yaml")}
	write(t, r.yaml, yaml)
	env := []string{"COMET_TRIES=", "COMET_SLEEP=", "COMET_FILE_DIRECTORY=", "COMET_PUBLISH_ALLOW="}
	r.program = start(t, "", arrangement{args: []string{"--config", r.yaml}, env: env, stdin: socket})
	wantAnswer(t, ask(t, path, asked("publish=started"), ""), http.StatusOK, "true")
	if !strings.Contains(yaml, "log: error") {
		eventually(t, "it says that it is ready", func() bool { return strings.Contains(r.stderr.String(), "msg=ready") })
	}
	return r
}

// reload returns what is logged about the reload.
func (r *reloading) reload(yaml string) string {
	r.t.Helper()
	write(r.t, r.yaml, yaml)
	return r.hangUp()
}

func (r *reloading) hangUp() string {
	r.t.Helper()
	before := len(r.stderr.String())
	if err := r.Process.Signal(syscall.SIGHUP); err != nil {
		r.t.Fatal(err)
	}
	outcome := regexp.MustCompile(`msg="(settings reloaded|reload failed).*\n`) // the last line of a reload
	eventually(r.t, "it says what became of it", func() bool { return outcome.MatchString(r.stderr.String()[before:]) })
	return r.stderr.String()[before:]
}

func TestReload_AppliesToNewRequests(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	const patient, brief = "tries: 40\nsleep: 1\nfile.directory: %s\n", "tries: 2\nsleep: 50ms\npublish.allow: a, b\nfile.directory: %s\n"
	r := startReloading(t, fmt.Sprintf(patient, directory))
	kept, last := connect(t, r.path), connect(t, r.path)
	kept.send(t, sentRequest(1, keep, asked("subscribed[a]=0.0"), ""))
	last.send(t, sentRequest(1, 0, asked("subscribed[never]=0.0"), ""))
	wantWaiting(t, r.path, 2)

	wantText(t, r.reload(fmt.Sprintf(brief, directory)), "level=INFO", "settings reloaded", `publish="a, b"`)
	begin := time.Now()
	wantAnswer(t, ask(t, r.path, asked("subscribed[b]=0.0"), ""), http.StatusOK, `{"s":0,"at":{"b":"0.000000"}}`)
	if took := time.Since(begin); took < 100*time.Millisecond {
		t.Errorf("a new poll waited for %v, want 100ms", took)
	}
	wantWaiting(t, r.path, 2)
	touchFile(t, filepath.Join(directory, "a.comet"))
	kept.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	kept.send(t, sentRequest(2, 0, asked("publish=c"), "")) // on a connection that is older than the settings
	kept.wantResponse(t, 2, http.StatusForbidden, "not allowed")

	wantText(t, r.reload(strings.Replace(fmt.Sprintf(brief, directory), "tries: 2", "tries: 100000", 1)),
		"settings reloaded", "level=WARN", "fastcgi_read_timeout")
	for yaml, words := range map[string][]string{
		"tries: none\n":          {"tries", "none", r.yaml},
		"trys: 5\n":              {"unknown key", "trys"},
		"tries: 5\n\tsleep: 1\n": {r.yaml},
		fmt.Sprintf(brief, directory) + "sleep: 1": {r.yaml, "sleep"},
	} {
		line := r.reload(yaml)
		wantText(t, line, append(words, "level=ERROR", "the old settings stay in force")...)
		if strings.Count(line, "\n") != 1 {
			t.Errorf("not one line: %s", line)
		}
		if r := ask(t, r.path, asked("publish=c"), ""); r.status != http.StatusForbidden {
			t.Errorf("HTTP %d %s, want 403", r.status, r.body)
		}
	}

	// The poll that has waited since the start is answered at the end.
	if took := r.terminate(); took >= 5*time.Second {
		t.Errorf("it took %v to end", took)
	}
	last.wantResponse(t, 1, http.StatusOK, `{"s":0,"at":{"never":"0.000000"}}`)
}

func TestReload_AppliesToARequestThatIsNotComplete(t *testing.T) {
	t.Parallel()
	events := "file.directory: " + t.TempDir() + "\n"
	r := startReloading(t, "publish.allow: \"*\"\n"+events)
	request := sentRequest(1, 0, asked("publish=a"), "")
	w := connect(t, r.path)
	w.send(t, request[:50])
	wantAnswer(t, ask(t, r.path, asked("publish=b"), ""), http.StatusOK, "true")
	for _, allow := range []string{"b", "none", "c"} {
		wantText(t, r.reload("publish.allow: "+allow+"\n"+events), "settings reloaded")
	}
	w.send(t, request[50:])
	w.wantResponse(t, 1, http.StatusForbidden, "not allowed")
}

func TestReload_ChangesTheLevelOfTheLog(t *testing.T) {
	t.Parallel()
	events := "file.directory: " + t.TempDir() + "\n"
	r := startReloading(t, events+"log: error\n")
	wantText(t, r.reload(events+"log: info\n"), "level=INFO", "settings reloaded")

	before := len(r.stderr.String())
	next := filepath.Join(t.TempDir(), "comet.yaml") // It replaces the file in one step.
	write(t, next, events+"log: error\npublish.allow: none\n")
	if err := os.Rename(next, r.yaml); err != nil {
		t.Fatal(err)
	}
	if err := r.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the settings are reloaded", func() bool {
		return ask(t, r.path, asked("publish=a"), "").status == http.StatusForbidden
	})
	if logged := r.stderr.String()[before:]; logged != "" {
		t.Errorf("logged %q", logged)
	}
}

// Other rules may apply now, so browsers open their streams again.
func TestReload_EndsStreamsWithTheirNextPart(t *testing.T) {
	t.Parallel()
	yaml := "stream.comment: 0.2\nfile:\n  directory: " + t.TempDir() + "\n"
	r := startReloading(t, yaml)
	w := connect(t, r.path)
	w.send(t, sentRequest(1, keep, streamed("subscribed[a]=now"), ""))
	w.begun(t, 1)
	for range 3 {
		if got := w.part(t, 1); got != ":\n\n" {
			t.Errorf("came %q", got)
		}
	}
	wantText(t, r.reload(yaml+"subscribe.allow: none\n"), "level=INFO", "settings reloaded")
	for {
		kind, _, content, err := w.receive()
		if err != nil {
			t.Fatal(err)
		}
		if kind == 3 {
			break
		}
		if len(content) > 0 && string(content) != ":\n\n" {
			t.Errorf("came %q", content)
		}
	}
	w.send(t, sentRequest(2, 0, streamed("subscribed[a]=now"), ""))
	w.wantResponse(t, 2, http.StatusForbidden, "not allowed")
}

// Whatever happens to the settings file, it does not allow a publication that was forbidden.
func TestReload_OfADamagedFileAllowsNothing(t *testing.T) {
	t.Parallel()
	for _, damage := range conftest.Damages() {
		for _, again := range []string{"reload", "restart", "kill -9 and start"} {
			t.Run(again+"/"+damage.Name, func(t *testing.T) {
				t.Parallel()
				socket, path := boundSocket(t)
				directory := filepath.Dir(path)
				events, yaml := filepath.Join(directory, "events"), filepath.Join(directory, "comet.yaml")
				for _, err := range []error{os.Chmod(directory, 0o755), os.Mkdir(events, 0o755), os.Chmod(events, 0o777),
					os.WriteFile(yaml, []byte(conftest.Closed(events)), 0o644)} {
					if err != nil {
						t.Fatal(err)
					}
				}
				run := func() *program {
					return start(t, "", arrangement{ordinary: true, args: []string{"--config", yaml}, stdin: socket,
						env: []string{"COMET_TRIES=", "COMET_SLEEP=", "COMET_FILE_DIRECTORY=", "COMET_PUBLISH_ALLOW="}})
				}
				mayNotPublish := func() {
					t.Helper()
					wantAnswer(t, ask(t, path, asked("publish=a"), ""), http.StatusForbidden,
						`{"error":"publishing \"a\" is not allowed without a user who is logged in"}`)
				}
				p := run()
				mayNotPublish()
				inForce := `level=INFO msg="settings in force" file=` + yaml + ` publish=none subscribe=* signed=none`
				eventually(t, inForce, func() bool { return strings.Contains(p.stderr.String(), inForce) })
				if err := damage.Do(yaml); err != nil {
					t.Fatal(err)
				}
				switch again {
				case "reload":
					wantText(t, (&reloading{program: p, t: t}).hangUp(), "level=ERROR", "the old settings stay in force", yaml)
					mayNotPublish()
					return
				case "restart":
					p.terminate()
				default:
					if err := p.Process.Kill(); err != nil {
						t.Fatal(err)
					}
					<-p.ended
				}
				p = run()
				if damage.UnseenAtStart { // conf/README.md documents it. The log warns the administrator.
					eventually(t, "a warning", func() bool {
						return strings.Contains(p.stderr.String(), "level=WARN msg=\"everybody who reaches the URL may publish every event; set publish.allow\"")
					})
					return
				}
				if status := p.status(); status != 1 {
					t.Errorf("status %d, want 1", status)
				}
				wantText(t, p.stderr.String(), yaml)
			})
		}
	}
}

func TestReload_NamesChangedKeysThatNeedARestart(t *testing.T) {
	t.Parallel()
	events := "file.directory: " + t.TempDir() + "\n"
	r := startReloading(t, events)
	for _, reload := range []struct{ yaml, keys string }{
		{"# the same\n" + events, ""},
		{"tries: 5\n" + events, ""},
		{"max_serving: 7\n" + events, "max_serving"},
		{"max_serving: 32\n" + events, ""},
		{"max_serving: 7\nlog_format: json\nsocket.mode: '0600'\nfile.directory: /nonexistent\n", "file.directory,socket.mode,log_format,max_serving"},
		{"store: memcached\nmax_serving: 7\n" + events, "store,max_serving"},
	} {
		got := ""
		if found := regexp.MustCompile(`msg="changed settings need a restart" keys=(\S+)`).FindStringSubmatch(r.reload(reload.yaml)); found != nil {
			got = found[1]
		}
		if got != reload.keys {
			t.Errorf("%q: keys %q, want %q", reload.yaml, got, reload.keys)
		}
	}
}
