package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"novcomet/core/servertest"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// testLog returns a log without times, with these settings. written closes the log and returns all its lines.
// The test runs in a synctest bubble: on a busy machine, close might return before all lines are written.
func testLog(t *testing.T, env ...string) (log *serverLog, written func() string) {
	t.Helper()
	out := &servertest.Output{}
	log = newServerLog(out, readSettings(t, env...).Config, false)
	return log, func() string {
		log.close()
		return out.String()
	}
}

func TestServerLog_HasTheLevelAndTheFormatOfTheSettings(t *testing.T) {
	for _, test := range []struct {
		env  []string
		want string
	}{
		{nil, "level=INFO msg=i\nlevel=WARN msg=w\nlevel=ERROR msg=e error=rusty\n"},
		{[]string{"COMET_LOG=error"}, "level=ERROR msg=e error=rusty\n"},
		{[]string{"COMET_LOG=warn", "COMET_LOG_FORMAT=json"},
			`{"level":"WARN","msg":"w"}` + "\n" + `{"level":"ERROR","msg":"e","error":"rusty"}` + "\n"},
		{[]string{"COMET_LOG=debug"},
			"level=DEBUG msg=d\nlevel=INFO msg=i\nlevel=WARN msg=w\nlevel=ERROR msg=e error=rusty\n"},
	} {
		synctest.Test(t, func(t *testing.T) {
			log, written := testLog(t, test.env...)
			log.Debug("d")
			log.Info("i")
			log.Warn("w")
			log.Error("e", "error", errors.New("rusty"))
			if got := written(); got != test.want {
				t.Errorf("%q: %q, want %q", test.env, got, test.want)
			}
		})
	}
}

func TestServerLog_HasATimeUnlessTheJournalReadsIt(t *testing.T) {
	t.Parallel()
	stream := func(device, inode uint64) string { return fmt.Sprintf("JOURNAL_STREAM=%d:%d", device, inode) }
	for _, test := range []struct {
		name   string
		stream func(stderr *unix.Stat_t) string
		want   string
	}{
		{"no journal", func(*unix.Stat_t) string { return "" }, `^time=2\S+ level=INFO `},
		{"a journal", func(s *unix.Stat_t) string { return stream(s.Dev, s.Ino) }, `^level=INFO `},
		{"another journal", func(s *unix.Stat_t) string { return stream(s.Dev, s.Ino+1) }, `^time=2\S+ level=INFO `},
	} {
		stderr, err := os.Create(t.TempDir() + "/stderr")
		if err != nil {
			t.Fatal(err)
		}
		defer stderr.Close()
		var is unix.Stat_t
		if err := unix.Fstat(int(stderr.Fd()), &is); err != nil {
			t.Fatal(err)
		}
		socket, path := listeningSocket(t)
		p := start(t, t.TempDir(), startOptions{stdin: socket, stderr: stderr, env: []string{test.stream(&is)}})
		wantPublished(t, path, "a")
		p.terminate()
		written, err := os.ReadFile(stderr.Name())
		if err != nil || !regexp.MustCompile(test.want).Match(written) {
			t.Errorf("%s: %q, %v; want %s", test.name, written, err, test.want)
		}
	}
}

func TestServerLog_DelaysNoRequestWhenNobodyReadsIt(t *testing.T) {
	t.Parallel()
	read, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer stderr.Close()
	const pipeSize, lines = 4096, 100 // The lines have more bytes than the pipe has room.
	if _, err := unix.FcntlInt(stderr.Fd(), unix.F_SETPIPE_SZ, pipeSize); err != nil {
		t.Fatal(err)
	}
	socket, path := listeningSocket(t)
	p := start(t, t.TempDir(), startOptions{
		stdin: socket, stderr: stderr, env: []string{"COMET_LOG=debug", "COMET_PUBLISH_ALLOW=none"},
	})
	for range lines {
		if r := ask(t, path, Get("publish=a"), ""); r.Status != http.StatusForbidden {
			t.Fatalf("HTTP %d, want 403", r.Status)
		}
	}
	p.terminate()
	written := make([]byte, 2*pipeSize)
	if n, err := read.Read(written); err != nil || !strings.Contains(string(written[:n]), "level=DEBUG") {
		t.Errorf("the log has %q, %v; want the refused requests", written[:n], err)
	}
}
