package main

import (
	"flag"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"novcomet/core/servertest"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// The test binary starts itself again as comet-fcgi. This variable has its role.
const roleVariable = "NOVCOMET_TEST_ROLE"

const (
	roleProgram   = "comet-fcgi"
	roleSystemd   = "systemd"    // comet-fcgi with sockets that systemd passes
	roleFewFiles  = "few files"  // comet-fcgi that may open few files
	roleUmask     = "umask"      // comet-fcgi with a strict umask
	roleNoInotify = "no inotify" // comet-fcgi of a user without a free inotify instance
	roleCrowd     = "crowd"      // many clients
)

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role != "" {
		os.Unsetenv(roleVariable)
	}
	switch role {
	case roleProgram:
		main()
	case roleSystemd:
		setListenPID()
	case roleFewFiles:
		limitOpenFiles()
		main()
	case roleUmask:
		syscall.Umask(0o137)
		main()
	case roleNoInotify:
		servertest.UseUpInotify()
		main()
	case roleCrowd:
		crowdMain()
	default:
		flag.Parse()
		flag.Set("test.parallel", "8") // The tests wait more than they compute.
		goleak.VerifyTestMain(m)
	}
}

// setListenPID sets LISTEN_PID, which only the process itself knows, and becomes comet-fcgi.
func setListenPID() {
	os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	os.Setenv(roleVariable, roleProgram)
	self, err := os.Executable()
	if err == nil {
		err = syscall.Exec(self, os.Args, os.Environ())
	}
	panic(err)
}

// fewFiles is how many files a comet-fcgi in roleFewFiles may have open.
const fewFiles = 32

func limitOpenFiles() {
	limit := syscall.Rlimit{Cur: fewFiles, Max: fewFiles}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		panic(err)
	}
}

func TestMain_IgnoresSIGPIPE(t *testing.T) {
	t.Parallel()
	read, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	read.Close()
	socket, path := listeningSocket(t)
	start(t, t.TempDir(), startOptions{stdin: socket, stderr: stderr})
	for range 3 {
		r := ask(t, path, With(Get("publish=a"), "COMET_NONSENSE", "1"), "")
		if r.Status != http.StatusInternalServerError { // It is logged.
			t.Errorf("HTTP %d, want 500", r.Status)
		}
	}
	wantPublished(t, path, "a")
}
