package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	outcome := regexp.MustCompile(`msg="(settings reloaded|reload failed).*\n`)
	eventually(r.t, "it says what became of it", func() bool { return outcome.MatchString(r.stderr.String()[before:]) })
	return r.stderr.String()[before:]
}

func TestSIGHUPTakesTheConfigurationOverForNewPollsAndTheWaitingOnesGoOn(t *testing.T) {
	t.Parallel()
	before, after := t.TempDir(), t.TempDir()
	const patient, brief = "tries: 40\nsleep: 1\nfile:\n  directory: %s\n", "tries: 2\nsleep: 50ms\nfile:\n  directory: %s\n"
	r := startReloading(t, fmt.Sprintf(patient, before))
	old, last := connect(t, r.path), connect(t, r.path)
	old.send(t, sentRequest(1, keep, asked("subscribed[a]=0.0"), ""))
	last.send(t, sentRequest(1, 0, asked("subscribed[never]=0.0"), ""))
	wantWaiting(t, r.path, 2)

	wantText(t, r.reload(fmt.Sprintf(brief, after)), "level=INFO", "settings reloaded")
	begin := time.Now()
	wantAnswer(t, ask(t, r.path, asked("subscribed[a]=0.0"), ""), http.StatusOK, `{"s":0,"at":{"a":"0.000000"}}`)
	if took := time.Since(begin); took < 100*time.Millisecond {
		t.Errorf("a new poll waited for %v, want 100ms", took)
	}
	wantAnswer(t, ask(t, r.path, asked("publish=c"), ""), http.StatusOK, "true")
	if !exists(filepath.Join(after, "c.comet")) {
		t.Error("a publication went into the old directory")
	}
	touchFile(t, filepath.Join(before, "a.comet"))
	old.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	// A connection that was kept from before belongs to the new configuration as well.
	old.send(t, sentRequest(2, 0, asked("publish=d"), ""))
	old.wantResponse(t, 2, http.StatusOK, "true")
	if !exists(filepath.Join(after, "d.comet")) {
		t.Error("a publication on a kept connection went into the old directory")
	}

	wantText(t, r.reload("tries: 100000\n"+fmt.Sprintf(brief, after)[len("tries: 2\n"):]), "settings reloaded", "level=WARN", "fastcgi_read_timeout")

	for yaml, words := range map[string][]string{
		"tries: none\n":                        {"tries", "none", r.yaml},
		"trys: 5\n":                            {"unknown key", "trys"},
		"file:\n  directory: /nonexistent\n":   {"file.directory", "/nonexistent"},
		"tries: 5\n\tsleep: 1\n":               {r.yaml},
		fmt.Sprintf(brief, after) + "sleep: 1": {r.yaml, "sleep"},
	} {
		line := r.reload(yaml)
		wantText(t, line, append(words, "level=ERROR", "the old settings stay in force")...)
		if strings.Count(line, "\n") != 1 {
			t.Errorf("not one line: %s", line)
		}
		wantAnswer(t, ask(t, r.path, asked("publish=e"), ""), http.StatusOK, "true")
	}
	if !exists(filepath.Join(after, "e.comet")) {
		t.Error("after a wrong configuration, a publication went elsewhere")
	}

	// Whoever waits since the first configuration is answered at the end all the same.
	if took := r.terminate(); took >= 5*time.Second {
		t.Errorf("it took %v to end", took)
	}
	last.wantResponse(t, 1, http.StatusOK, `{"s":0,"at":{"never":"0.000000"}}`)
}

// A request that was not complete yet when the configuration changed twice is served by the one in force.
func TestARequestThatComesInDuringTwoReloadsBelongsToTheLastOne(t *testing.T) {
	t.Parallel()
	first, last := t.TempDir(), t.TempDir()
	const patient = "tries: 40\nsleep: 1\nfile:\n  directory: %s\n"
	r := startReloading(t, fmt.Sprintf(patient, first))
	request := sentRequest(1, 0, asked("subscribed[a]=0.0"), "")
	w := connect(t, r.path)
	w.send(t, request[:50])
	wantAnswer(t, ask(t, r.path, asked("publish=b"), ""), http.StatusOK, "true") // so that it has been accepted
	for range 3 {
		wantText(t, r.reload(fmt.Sprintf(patient, last)), "settings reloaded")
	}
	w.send(t, request[50:])
	wantWaiting(t, r.path, 1)
	touchFile(t, filepath.Join(last, "a.comet"))
	w.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
}

func TestSIGHUPTakesTheLevelOfTheLogOver(t *testing.T) {
	t.Parallel()
	first, after := t.TempDir(), t.TempDir()
	r := startReloading(t, "file.directory: "+first+"\nlog: error\n")
	wantText(t, r.reload("file.directory: "+first+"\nlog: info\n"), "level=INFO", "settings reloaded")

	before := len(r.stderr.String())
	quiet := filepath.Join(t.TempDir(), "comet.yaml") // put there in one step: half a file would be another one
	write(t, quiet, "file.directory: "+after+"\nlog: error\n")
	if err := os.Rename(quiet, r.yaml); err != nil {
		t.Fatal(err)
	}
	if err := r.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has taken over what says nothing of it", func() bool {
		wantAnswer(t, ask(t, r.path, asked("publish=a"), ""), http.StatusOK, "true")
		return exists(filepath.Join(after, "a.comet"))
	})
	if said := r.stderr.String()[before:]; said != "" {
		t.Errorf("it said %q", said)
	}
}

// Its rules may be others now, so its browser comes again.
func TestSIGHUPEndsStreamsWithWhatTheyAreSentNext(t *testing.T) {
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

// Whatever becomes of the settings file: nobody may publish afterwards who could not before.
func TestADamagedSettingsFileOpensNothing(t *testing.T) {
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
				if damage.UnseenAtStart { // conf/README.md says so. The log at least tells the administrator.
					eventually(t, "it warns", func() bool {
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

func TestReload_NamesTheChangedKeysThatNeedARestart(t *testing.T) {
	t.Parallel()
	events := "file.directory: " + t.TempDir() + "\n"
	r := startReloading(t, events)
	for _, reload := range []struct {
		yaml  string
		named []string
	}{
		{"# the same\n" + events, nil},
		{"tries: 5\n" + events, nil},
		{"max_serving: 7\n" + events, []string{"max_serving"}},
		{"max_serving: 7\nlog_format: json\nsocket.mode: '0600'\n" + events, []string{"log_format", "socket.mode"}},
	} {
		said := r.reload(reload.yaml)
		for _, key := range []string{"listen", "socket.mode", "socket.group", "max_serving", "log_format"} {
			if strings.Contains(said, key) != slices.Contains(reload.named, key) {
				t.Errorf("%s: %s; want it to name %q", key, said, reload.named)
			}
		}
		if strings.Contains(said, "restart") != (len(reload.named) > 0) {
			t.Errorf("%s; want it to name %q", said, reload.named)
		}
	}
}
