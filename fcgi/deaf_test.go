package main

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// deafen becomes a user that no other process is, and uses up the inotify instances of this user.
func deafen() {
	const first, users = 61184, 4000 // systemd gives these numbers to services for as long as they run.
	user := first + os.Getpid()%users
	if err := syscall.Setresuid(user, user, user); err != nil {
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

func TestWithoutAnInotifyInstanceItGoesOnWithItsChecksAndSaysSoOnce(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("it takes root to become a user whose instances nobody else needs")
	}
	directory := shortDir(t)
	if err := os.Chmod(directory, 0o777); err != nil {
		t.Fatal(err)
	}
	socket, path := boundSocket(t)
	p := start(t, directory, arrangement{part: asDeaf, stdin: socket, env: []string{"COMET_LOG=warn", "COMET_TRIES=400", "COMET_SLEEP=100ms"}})
	for _, id := range []string{"a", "b", "c"} {
		polls := connectCrowd(t, path, 10)
		for _, w := range polls.of {
			w.send(t, sentRequest(1, 0, asked("subscribed["+id+"]=0.0"), ""))
		}
		eventually(t, "it has tried to listen", func() bool { return p.logged() != "" })
		touchFile(t, filepath.Join(directory, id+".comet"))
		for _, w := range polls.of {
			w.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"`+id+`":`)
		}
	}
	wantAnswer(t, ask(t, path, asked("publish=d"), ""), http.StatusOK, "true")
	said := p.logged()
	wantText(t, said, "level=WARN", "inotify", "fs.inotify.max_user_instances")
	if strings.Count(said, "\n") != 1 {
		t.Errorf("not one line: %s", said)
	}
}
