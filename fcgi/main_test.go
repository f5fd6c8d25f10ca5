package main

import (
	"flag"
	"os"
	"strconv"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// The test binary runs itself again as the program; this variable says in which part.
const part = "NOVCOMET_TEST_PART"

const (
	asProgram = "comet-fcgi"
	asSystemd = "systemd" // passes its sockets on, as systemd would
	asCramped = "cramped" // comet-fcgi with few files to open
	asMasked  = "masked"  // comet-fcgi with a umask that takes nearly everything
	asDeaf    = "deaf"    // comet-fcgi of a user that has no inotify instance left
)

func TestMain(m *testing.M) {
	role := os.Getenv(part)
	if role != "" {
		os.Unsetenv(part)
	}
	switch role {
	case asProgram:
		main()
	case asSystemd:
		activate()
	case asCramped:
		cramp()
		main()
	case asMasked:
		syscall.Umask(0o137)
		main()
	case asDeaf:
		deafen()
		main()
	default:
		flag.Parse()
		flag.Set("test.parallel", "8") // They wait more than they compute.
		goleak.VerifyTestMain(m)
	}
}

// activate becomes comet-fcgi with the environment that only the process itself can have: LISTEN_PID.
func activate() {
	os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	os.Setenv(part, asProgram)
	self, err := os.Executable()
	if err == nil {
		err = syscall.Exec(self, os.Args, os.Environ())
	}
	panic(err)
}

// crampedFiles is how many files a cramped comet-fcgi can have open at once.
const crampedFiles = 24

func cramp() {
	limit := syscall.Rlimit{Cur: crampedFiles, Max: crampedFiles}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		panic(err)
	}
}
