package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	deaf     = "deaf" // comet.cgi of a user that has no inotify instance left
	deafUser = 61185  // nobody's number, so that taking all of its instances makes nobody else suffer
)

// deafen takes all inotify instances of the user it becomes, until this process ends.
func deafen() {
	if err := syscall.Setresuid(deafUser, deafUser, deafUser); err != nil {
		panic(err)
	}
	for {
		if _, err := unix.InotifyInit1(unix.IN_CLOEXEC); errors.Is(err, unix.EMFILE) {
			return
		} else if err != nil {
			panic(err)
		}
	}
}

// It would say so for each request, else.
func TestWithoutAnInotifyInstanceItGoesOnWithItsChecksAndSaysNothing(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("it takes root to become a user whose instances nobody else needs")
	}
	directory, err := os.MkdirTemp("", "comet") // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(directory) })
	if err := os.Chmod(directory, 0o777); err != nil {
		t.Fatal(err)
	}
	environ := append(settings(directory), asProgram+"="+deaf)
	request(t, append(environ, asked("subscribed[never]=now")...), "").want(t, 200, `{"s":0,"at":{"never":"0.000000"}}`)

	answered := make(chan answer, 1)
	go func() {
		answered <- request(t, append(environ, append(asked("subscribed[news]=0.0"), "COMET_TRIES=1000")...), "")
	}()
	if err := os.WriteFile(filepath.Join(directory, "news.comet"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	a := <-answered
	wantText(t, a.body, `{"s":1,"k":{"news":`)
	if a.exit != 0 || a.stderr != "" {
		t.Errorf("exit status %d; it said: %s", a.exit, a.stderr)
	}
}
