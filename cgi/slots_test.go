package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// slotPath returns the file of a slot of this user.
func slotPath(directory string, slot int) string {
	return filepath.Join(directory, fmt.Sprintf("comet-cgi-%d-%d", os.Geteuid(), slot))
}

// wantSlots takes slots until none is free. The test process keeps them.
func wantSlots(t *testing.T, s slots, want int) {
	t.Helper()
	for taken := 0; ; taken++ {
		ok, err := s.take()
		if ok && taken < want {
			continue
		}
		if ok || taken != want || err != nil {
			t.Errorf("after %d slots: %v, %v; want %d", taken, ok, err, want)
		}
		return
	}
}

func TestSlots_AreAsManyAsTheLimit(t *testing.T) {
	t.Parallel()
	s := slots{t.TempDir(), 32}
	wantSlots(t, s, 32)
	files, err := os.ReadDir(s.directory)
	if err != nil || len(files) != 32 {
		t.Errorf("%d files, %v", len(files), err)
	}
	for slot := range 32 {
		if info, err := os.Lstat(slotPath(s.directory, slot)); err != nil || info.Mode() != 0o600 || info.Size() != 0 {
			t.Errorf("%v, %v", info, err)
		}
	}
	s.count = 33
	wantSlots(t, s, 1)
	s.count = 0
	if ok, err := s.take(); !ok || err != nil {
		t.Errorf("without a limit: %v, %v", ok, err)
	}
}

// Whatever file has the name of a slot, only this slot is lost. No process waits for the file or changes it.
func TestSlots_OneThatIsNotUsableCostsOnlyItself(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		make func(path string) error
		free int // of two
	}{
		{"a file of an earlier process", func(path string) error { return os.WriteFile(path, nil, 0o600) }, 2},
		{"a file that is locked", func(path string) error {
			file, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
			if err != nil {
				return err
			}
			return unix.Flock(file, unix.LOCK_SH)
		}, 1},
		{"a link that leads nowhere", func(path string) error { return os.Symlink(path+"-target", path) }, 1},
		{"a link to a file", func(path string) error { return os.Symlink("/etc/passwd", path) }, 1},
		{"a directory", func(path string) error { return os.Mkdir(path, 0o700) }, 1},
		{"a FIFO", func(path string) error { return unix.Mkfifo(path, 0o600) }, 2},
		{"a socket", func(path string) error {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			return unix.Bind(fd, &unix.SockaddrUnix{Name: path})
		}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			directory, err := os.MkdirTemp("", "slots") // The path of a socket must be short.
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(directory)
			if err := test.make(slotPath(directory, 0)); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(slotPath(directory, 0))
			if err != nil {
				t.Fatal(err)
			}
			wantSlots(t, slots{directory, 2}, test.free)
			after, err := os.Lstat(slotPath(directory, 0))
			if err != nil || !os.SameFile(before, after) || before.Mode() != after.Mode() {
				t.Errorf("%v has become %v, %v", before, after, err)
			}
			if _, err := os.Lstat(slotPath(directory, 0) + "-target"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the target of the link: %v", err)
			}
		})
	}
}

// NFS and SMB refuse to lock a file that is not open for writing. If it is, the kernel refuses a lease.
func TestSlots_AreOpenForWriting(t *testing.T) {
	t.Parallel()
	path := slotPath(t.TempDir(), 0)
	if err := lock(path, os.Geteuid()); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_RDLCK); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("a lease on the file: %v; want EAGAIN, because it is open for writing", err)
	}
}

// Every user may open the files, so only their owners differ.
func TestSlots_OfAnotherUserAreNotUsed(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("the test must be root, to make a file of another user")
	}
	directory := t.TempDir()
	theirs, roots := slotPath(directory, 0), slotPath(directory, 1)
	for path, owner := range map[string]int{theirs: nobody, roots: 0} {
		err := os.WriteFile(path, nil, 0o600)
		if err == nil {
			err = os.Chmod(path, 0o666)
		}
		if err == nil {
			err = os.Chown(path, owner, owner)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for p := directory; p != "/"; p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o777); p == directory && err != nil {
			t.Fatal(err)
		}
		if filepath.Dir(p) == os.TempDir() {
			break
		}
	}
	if err := lock(theirs, 0); !errors.Is(err, os.ErrPermission) {
		t.Errorf("root locks a file of another user: %v", err)
	}
	if err := lock(roots, 0); err != nil {
		t.Errorf("root locks its own file: %v", err)
	}
	result := make(chan [2]error)
	go func() {
		runtime.LockOSThread() // The thread ends with the goroutine.
		_ = unix.Setfsuid(nobody)
		result <- [2]error{lock(roots, nobody), lock(theirs, nobody)}
	}()
	errs := <-result
	if !errors.Is(errs[0], unix.EPERM) || errs[1] != nil {
		t.Errorf("another user locks root's file: %v; and a file of its own: %v", errs[0], errs[1])
	}
}

func TestSlots_SayWhyNoneCanBeUsed(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	missing := filepath.Join(directory, "missing")
	if ok, err := (slots{missing, 3}).take(); ok || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, %v", ok, err)
	}
	for slot := range 2 {
		if err := os.Mkdir(slotPath(directory, slot), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ok, err := slots{directory, 2}.take()
	if ok || !errors.Is(err, unix.EISDIR) || !strings.HasPrefix(err.Error(), "cgi.max_waiting: "+directory) {
		t.Errorf("%v, %v", ok, err)
	}
	a := request(t, t.TempDir(), "", get("subscribed[a]=now", "TMPDIR="+missing, "COMET_TRIES=1200")...)
	if a.took > 30*time.Second {
		t.Errorf("the poll waited %v", a.took)
	}
	a.wantLogged(t, 200, `{"s":0,"at":{"a":"0.000000"}}`, "polls do not wait", missing, "no such file")
}

// startPoll starts a process that polls for a long time. The slots are in the directory temporary.
func startPoll(t *testing.T, directory, temporary string, limit int, variables ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(executable(t))
	cmd.Env = append(settings(directory), get("subscribed[a]=now", append(variables, "TMPDIR="+temporary,
		fmt.Sprintf("COMET_CGI_MAX_WAITING=%d", limit), "COMET_TRIES=100000")...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func TestSlots_OfAKilledProcessAreFree(t *testing.T) {
	t.Parallel()
	directory, temporary := t.TempDir(), t.TempDir()
	const limit = 3
	poll := func(query string, more ...string) answer {
		t.Helper()
		a := request(t, directory, "", get(query, append(more, "TMPDIR="+temporary, "COMET_TRIES=1200",
			fmt.Sprintf("COMET_CGI_MAX_WAITING=%d", limit))...)...)
		if a.took > 30*time.Second {
			t.Errorf("%s was answered after %v", query, a.took)
		}
		return a
	}
	var waiting []*exec.Cmd
	for range limit {
		waiting = append(waiting, startPoll(t, directory, temporary, limit))
	}
	for range 2 {
		for _, cmd := range waiting {
			awaitInotify(t, cmd.Process.Pid)
		}
		poll("subscribed[a]=now").want(t, 200, `{"s":0,"at":{"a":"0.000000"}}`)
		poll("subscribed[a]=now&wait=0").want(t, 200, `{"s":0,"at":{"a":"0.000000"}}`)
		stream := poll("subscribed[a]=now", "HTTP_ACCEPT=text/event-stream")
		if !strings.HasSuffix(stream.body, "id: 0.000000\n\n") {
			t.Errorf("the stream gets %q", stream.body)
		}
		if err := waiting[0].Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = waiting[0].Wait() // It was killed.
		waiting = append(waiting[1:], startPoll(t, directory, temporary, limit))
	}
	poll("publish=a").want(t, 200, "true")
}

// Many processes want a slot at the same moment.
func TestSlots_EachHasOneOwner(t *testing.T) {
	t.Parallel()
	directory, temporary := t.TempDir(), t.TempDir()
	const limit, crowd = 5, 25
	ended := make(chan *exec.Cmd, crowd)
	var polls []*exec.Cmd
	for range crowd {
		polls = append(polls, startPoll(t, directory, temporary, limit))
	}
	for _, cmd := range polls {
		go func() { _ = cmd.Wait(); ended <- cmd }()
	}
	answered := map[*exec.Cmd]bool{}
	for range crowd - limit {
		select {
		case cmd := <-ended:
			answered[cmd] = true
			if !cmd.ProcessState.Success() {
				t.Errorf("a poll ended with %v", cmd.ProcessState)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%d of %d polls were answered; want all but %d", len(answered), crowd, limit)
		}
	}
	for _, cmd := range polls {
		if !answered[cmd] {
			awaitInotify(t, cmd.Process.Pid)
		}
	}
	request(t, directory, "", get("publish=a")...).want(t, 200, "true")
	for range limit {
		<-ended
	}
}
