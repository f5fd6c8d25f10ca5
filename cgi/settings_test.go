package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"novcomet/conf/conftest"
	"novcomet/core/servertest"
)

func TestSettings_IfInvalidRefuseEveryRequest(t *testing.T) {
	t.Parallel()
	for setting, logged := range map[string]string{
		"COMET_TRYS=5":                 "COMET_TRYS",
		"COMET_SLEEP=soon":             "COMET_SLEEP",
		"COMET_TRIES=0":                "COMET_TRIES",
		"COMET_FILE_DIRECTORY=shm":     "COMET_FILE_DIRECTORY",
		"COMET_X=\x1b[2J\nsecond line": "COMET_X",
		"COMET_CONFIG=/nonexistent":    "COMET_CONFIG",
		"COMET_STORE=redis":            "run comet-fcgi",
	} {
		for _, query := range []string{"publish=a", "subscribed[a]=0"} {
			directory := t.TempDir()
			a := request(t, directory, "", get(query, setting)...)
			a.wantLogged(t, 500, `{"error":"the settings of comet.cgi are invalid…`, logged)
			wantEvents(t, directory)
		}
		large := "publish=a&" + strings.Repeat("x", 1<<20) // more than fits into a pipe
		a := request(t, t.TempDir(), large, postForm(len(large), setting)...)
		a.wantLogged(t, 500, `{"error":"the settings of comet.cgi are invalid…`, logged)
	}
}

// Damage of the settings file gives nobody more rights.
func TestSettings_InADamagedFileAllowNothing(t *testing.T) {
	t.Parallel()
	for _, damage := range conftest.Damages() {
		t.Run(damage.Name, func(t *testing.T) {
			t.Parallel()
			directory, yaml := servertest.OpenDirectory(t), filepath.Join(servertest.OpenDirectory(t), "comet.yaml")
			if err := os.WriteFile(yaml, []byte(conftest.Closed(directory)), 0o644); err != nil {
				t.Fatal(err)
			}
			publish := func() answer {
				environ := get("publish=a", asProgram+"="+asNobody, noRaceExitDelay, "COMET_CONFIG="+yaml)
				return execute(t, executable(t), environ, nil, nil)
			}
			publish().wantError(t, 403, "not allowed")
			if err := damage.Do(yaml); err != nil {
				t.Fatal(err)
			}
			if damage.UnseenAtStart {
				return
			}
			publish().wantLogged(t, 500, `{"error":"…`, yaml)
			wantEvents(t, directory)
		})
	}
}

// The user belongs to the request, and is not a setting.
func TestSettings_AreNotTakenFromARequestHeader(t *testing.T) {
	t.Parallel()
	headers := []string{"HTTP_COMET_TRIES=1", "HTTP_COMET_SLEEP=10ms", "HTTP_COMET_NONSENSE=1"}
	a := request(t, t.TempDir(), "", get("subscribed[a]=now", headers...)...)
	a.want(t, 200, `{"s":0,"at":{"a":"0.000000"}}`)
	if a.took < 200*time.Millisecond {
		t.Errorf("the poll waited only %v", a.took)
	}
}

func TestRequestVariables_NameTheUser(t *testing.T) {
	t.Parallel()
	variables := get("publish=user:ann:mail", "COMET_PUBLISH_ALLOW=user:<user>:*")
	request(t, t.TempDir(), "", append(variables, "COMET_USER=ann")...).want(t, 200, "true")
	request(t, t.TempDir(), "", append(variables, "HTTP_COMET_USER=ann")...).wantError(t, 403, "without a login")
}

// comet.yaml is searched beside the path by which the program is called, then beside the file to which that
// path, if it is a link, leads.
func TestSettings_AreFoundBesideTheProgram(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	installed, linked := filepath.Join(root, "installed"), filepath.Join(root, "cgi-bin")
	eventsOf := map[string]string{installed: filepath.Join(root, "1"), linked: filepath.Join(root, "2")}
	for _, directory := range []string{installed, linked, eventsOf[installed], eventsOf[linked]} {
		if err := os.Mkdir(directory, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, link := filepath.Join(installed, "comet.cgi"), filepath.Join(linked, "comet.cgi")
	copyFile(t, executable(t), program)
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	configure := func(beside string) {
		t.Helper()
		text := "tries: 1\nsleep: 10ms\nfile:\n  directory: " + eventsOf[beside] + "\n"
		if err := os.WriteFile(filepath.Join(beside, "comet.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	publish := func(called, id string) {
		t.Helper()
		environ := get("publish="+id, asProgram+"=1", noRaceExitDelay, "SCRIPT_FILENAME="+called)
		execute(t, called, environ, nil, nil).want(t, 200, "true")
	}
	configure(installed)
	publish(program, "called")
	publish(link, "through-the-link")
	configure(linked)
	publish(link, "with-one-beside-the-link")
	publish(program, "again")
	wantEvents(t, eventsOf[installed], "again", "called", "through-the-link")
	wantEvents(t, eventsOf[linked], "with-one-beside-the-link")
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	// A child that another test starts now would inherit the open file, and the kernel runs no program that
	// is open for writing.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(to, data, 0o755); err != nil {
		t.Fatal(err)
	}
}
