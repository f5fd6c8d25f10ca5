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
	"novcomet/core/servertest"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// reloading is a comet-fcgi whose comet.yaml a test changes.
type reloading struct {
	*program
	path string
	yaml string
}

func startReloading(t *testing.T, yaml string) *reloading {
	t.Helper()
	socket, path := listeningSocket(t)
	r := &reloading{path: path, yaml: filepath.Join(filepath.Dir(path), "comet.yaml")}
	writeFile(t, r.yaml, yaml)
	env := []string{"COMET_TRIES=", "COMET_SLEEP=", "COMET_FILE_DIRECTORY=", "COMET_PUBLISH_ALLOW="}
	r.program = start(t, "", startOptions{args: []string{"--config", r.yaml}, env: env, stdin: socket})
	wantPublished(t, path, "started")
	if !strings.Contains(yaml, "log: error") {
		r.waitUntilReady()
	}
	return r
}

// reload returns what is logged about the reload.
func (r *reloading) reload(yaml string) string {
	r.t.Helper()
	writeFile(r.t, r.yaml, yaml)
	return r.hangUp()
}

func (r *reloading) hangUp() string {
	r.t.Helper()
	before := len(r.stderr.String())
	if err := r.Process.Signal(syscall.SIGHUP); err != nil {
		r.t.Fatal(err)
	}
	last := regexp.MustCompile(`msg="(settings reloaded|reload failed).*\n`)
	servertest.WaitFor(r.t, "the end of the reload", func() bool {
		return last.MatchString(r.stderr.String()[before:])
	})
	return r.stderr.String()[before:]
}

func TestReload_AppliesToNewRequests(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	events := "file.directory: " + directory + "\n"
	short := "tries: 2\nsleep: 50ms\npublish.allow: a, b\n" + events
	r := startReloading(t, "tries: 40\nsleep: 1\n"+events)
	kept, last := connect(t, r.path), connect(t, r.path)
	kept.Send(t, Request(1, Keep, Get("subscribed[a]=0.0"), ""))
	last.Send(t, Request(1, 0, Get("subscribed[never]=0.0"), ""))
	wantWaiting(t, r.path, 2)

	wantText(t, r.reload(short), "level=INFO", "settings reloaded", `publish="a, b"`)
	begin := time.Now()
	wantAnswer(t, ask(t, r.path, Get("subscribed[b]=0.0"), ""), http.StatusOK, `{"s":0,"at":{"b":"0.000000"}}`)
	if took := time.Since(begin); took < 100*time.Millisecond {
		t.Errorf("a new poll waited for %v, want 100ms", took)
	}
	wantWaiting(t, r.path, 2)
	touch(t, filepath.Join(directory, "a.comet"))
	kept.WantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	kept.Send(t, Request(2, 0, Get("publish=c"), "")) // on a connection that is older than the settings
	kept.WantResponse(t, 2, http.StatusForbidden, "not allowed")

	wantText(t, r.reload(strings.Replace(short, "tries: 2", "tries: 100000", 1)),
		"settings reloaded", "level=WARN", "fastcgi_read_timeout")
	for yaml, words := range map[string][]string{
		"tries: none\n":          {"tries", "none", r.yaml},
		"trys: 5\n":              {"unknown key", "trys"},
		"tries: 5\n\tsleep: 1\n": {r.yaml},
		short + "sleep: 1":       {r.yaml, "sleep"},
	} {
		wantLine(t, r.reload(yaml), append(words, "level=ERROR", "the old settings stay in force")...)
		if r := ask(t, r.path, Get("publish=c"), ""); r.Status != http.StatusForbidden {
			t.Errorf("HTTP %d %s, want 403", r.Status, r.Body)
		}
	}

	r.terminate()
	last.WantResponse(t, 1, http.StatusOK, `{"s":0,"at":{"never":"0.000000"}}`)
}

func TestReload_AppliesToAnIncompleteRequest(t *testing.T) {
	t.Parallel()
	events := "file.directory: " + t.TempDir() + "\n"
	r := startReloading(t, "publish.allow: \"*\"\n"+events)
	request := Request(1, 0, Get("publish=a"), "")
	w := connect(t, r.path)
	w.Send(t, request[:50])
	wantPublished(t, r.path, "b")
	for _, allow := range []string{"b", "none", "c"} {
		wantText(t, r.reload("publish.allow: "+allow+"\n"+events), "settings reloaded")
	}
	w.Send(t, request[50:])
	w.WantResponse(t, 1, http.StatusForbidden, "not allowed")
}

func TestReload_LosesNoPublication(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	yaml := "tries: 2000\nsleep: %dms\nfile.directory: " + directory + "\n"
	r := startReloading(t, fmt.Sprintf(yaml, 20))
	pages := connectMany(t, r.path, 50)
	for i := range 20 {
		id := fmt.Sprint("event-", i)
		for _, w := range pages.all { // Some polls arrive before the reload, others during it.
			w.Send(t, Request(1, Keep, Get("subscribed["+id+"]=0.0"), ""))
		}
		file := filepath.Join(directory, id+".comet")
		if i%2 == 0 {
			touch(t, file)
		}
		wantText(t, r.reload(fmt.Sprintf(yaml, 21+i)), "settings reloaded")
		if i%2 == 1 {
			touch(t, file)
		}
		for _, w := range pages.all {
			w.WantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"`+id+`":`)
		}
	}
	r.terminate()
}

func TestReload_ChangesTheLevelOfTheLog(t *testing.T) {
	t.Parallel()
	events := "file.directory: " + t.TempDir() + "\n"
	r := startReloading(t, events+"log: error\n")
	wantText(t, r.reload(events+"log: info\n"), "level=INFO", "settings reloaded")

	before := len(r.stderr.String())
	next := filepath.Join(t.TempDir(), "comet.yaml") // It replaces the file in one step.
	writeFile(t, next, events+"log: error\npublish.allow: none\n")
	if err := os.Rename(next, r.yaml); err != nil {
		t.Fatal(err)
	}
	if err := r.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	servertest.WaitFor(t, "the settings are reloaded", func() bool {
		return ask(t, r.path, Get("publish=a"), "").Status == http.StatusForbidden
	})
	r.terminate() // It writes the lines that are still queued.
	if logged := r.stderr.String()[before:]; logged != "" {
		t.Errorf("logged %q", logged)
	}
}

// Browsers open their streams again, with the new settings.
func TestReload_EndsStreamsWithTheirNextPart(t *testing.T) {
	t.Parallel()
	yaml := "stream.comment: 0.2\nfile:\n  directory: " + t.TempDir() + "\n"
	r := startReloading(t, yaml)
	w := connect(t, r.path)
	w.Send(t, Request(1, Keep, GetStream("subscribed[a]=now"), ""))
	w.WantStream(t, 1)
	for range 3 {
		if got := w.ReceivePart(t, 1); got != ":\n\n" {
			t.Errorf("received %q", got)
		}
	}
	wantText(t, r.reload(yaml+"subscribe.allow: none\n"), "level=INFO", "settings reloaded")
	for {
		kind, _, content, err := w.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if kind == 3 {
			break
		}
		if len(content) > 0 && string(content) != ":\n\n" {
			t.Errorf("received %q", content)
		}
	}
	w.Send(t, Request(2, 0, GetStream("subscribed[a]=now"), ""))
	w.WantResponse(t, 2, http.StatusForbidden, "not allowed")
}

// Neither a reload nor a start with a damaged file permits a publication that was forbidden.
func TestReload_OfADamagedFileAllowsNothing(t *testing.T) {
	t.Parallel()
	for _, damage := range conftest.Damages() {
		t.Run(damage.Name, func(t *testing.T) {
			t.Parallel()
			socket, path := listeningSocket(t)
			directory := filepath.Dir(path)
			events, yaml := filepath.Join(directory, "events"), filepath.Join(directory, "comet.yaml")
			for _, err := range []error{
				os.Chmod(directory, 0o755), os.Mkdir(events, 0o755), os.Chmod(events, 0o777),
				os.WriteFile(yaml, []byte(conftest.Closed(events)), 0o644),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			options := startOptions{
				unprivileged: true, args: []string{"--config", yaml}, stdin: socket,
				env: []string{"COMET_TRIES=", "COMET_SLEEP=", "COMET_FILE_DIRECTORY=", "COMET_PUBLISH_ALLOW="},
			}
			wantForbidden := func() {
				t.Helper()
				wantAnswer(t, ask(t, path, Get("publish=a"), ""), http.StatusForbidden,
					`{"error":"publishing \"a\" is not allowed"}`)
			}
			p := start(t, "", options)
			wantForbidden()
			p.waitUntilLogged(`level=INFO msg="settings in force" file=` + yaml +
				` publish=none subscribe=* signed=none`)
			if err := damage.Do(yaml); err != nil {
				t.Fatal(err)
			}
			r := &reloading{program: p}
			wantText(t, r.hangUp(), "level=ERROR", "the old settings stay in force", yaml)
			wantForbidden()

			p.terminate()
			p = start(t, "", options)
			if damage.UnseenAtStart { // conf/README.md documents it. The log warns the administrator.
				p.waitUntilLogged(`level=WARN msg="everybody who reaches the URL may publish every event; ` +
					`set publish.allow"`)
				return
			}
			p.wantExit(1, yaml)
		})
	}
}

func TestReload_NamesChangedKeysThatNeedARestart(t *testing.T) {
	t.Parallel()
	events := "file.directory: " + t.TempDir() + "\n"
	r := startReloading(t, events)
	message := regexp.MustCompile(`msg="changed settings need a restart" keys=(\S+)`)
	for _, reload := range []struct{ yaml, keys string }{
		{"# the same\n" + events, ""},
		{"tries: 5\n" + events, ""},
		{"max_serving: 7\n" + events, "max_serving"},
		{"max_serving: 32\n" + events, ""},
		{"max_serving: 7\nlog_format: json\nsocket.mode: '0600'\n" + events, "socket.mode,log_format,max_serving"},
	} {
		got := ""
		if found := message.FindStringSubmatch(r.reload(reload.yaml)); found != nil {
			got = found[1]
		}
		if got != reload.keys {
			t.Errorf("%q: keys %q, want %q", reload.yaml, got, reload.keys)
		}
	}
}

// The rules of the file may be meant for its store. With the old store, they could allow too much.
func TestReload_RefusesAnotherStore(t *testing.T) {
	t.Parallel()
	events := "file.directory: " + t.TempDir() + "\n"
	r := startReloading(t, "publish.allow: started\n"+events)
	for yaml, keys := range map[string]string{
		"publish.allow: a\nfile.directory: /nonexistent\n":                    "file.directory",
		"publish.allow: a\nstore: memcached\nmax_serving: 7\n" + events:       "store",
		"publish.allow: a\nfile.create: false\n" + events:                     "file.create",
		"publish.allow: a\nredis.addresses: a:1\nstore_timeout: 2\n" + events: "store_timeout, redis.addresses",
	} {
		wantText(t, r.reload(yaml), "level=ERROR", "the old settings stay in force", keys+" need a restart")
		if response := ask(t, r.path, Get("publish=a"), ""); response.Status != http.StatusForbidden {
			t.Errorf("%q: HTTP %d %s, want 403", yaml, response.Status, response.Body)
		}
	}
	wantText(t, r.reload("publish.allow: a\n"+events), "settings reloaded")
}
