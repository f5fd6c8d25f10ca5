package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"novcomet/core/servertest"
)

func TestPublish_NamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	config := writeFile(t, filepath.Join(t.TempDir(), "comet.yaml"),
		"store: memcached\nmemcached.servers: 127.0.0.1:1\n")
	latin1 := writeFile(t, filepath.Join(t.TempDir(), "latin1"), "Gr\xfc\xdfe")
	deep := writeFile(t, filepath.Join(t.TempDir(), "deep"), strings.Repeat("[", 101)+strings.Repeat("]", 101))
	for _, test := range []struct {
		args  []string
		env   []string
		words []string
	}{
		{[]string{"publish", "a"}, []string{"COMET_FILE_DIRECTORY=/nonexistent"},
			[]string{"not available", "/nonexistent"}},
		{[]string{"publish", "a", "--config", config}, []string{patientStore}, []string{"not available", "127.0.0.1:1"}},
		{[]string{"publish", "a"}, []string{"COMET_STORE=redis", "COMET_REDIS_ADDRESSES=127.0.0.1:1", patientStore},
			[]string{"not available", "127.0.0.1:1"}},
		{[]string{"publish", "a"}, []string{"COMET_STORE=redis", "COMET_REDIS_PASSWORD_FILE=/nonexistent"},
			[]string{"redis.password_file", "/nonexistent"}},
		{[]string{"publish", "a/b"}, nil, []string{"not allowed", "a/b"}},
		{[]string{"publish", ""}, nil, []string{"not allowed"}},
		{[]string{"publish", "a"}, []string{"COMET_TRIES=many"}, []string{"COMET_TRIES", "many"}},
		{[]string{"publish", "a", "--data", "/nonexistent"}, nil, []string{"--data", "/nonexistent"}},
		{[]string{"publish", "a", "--data", "/"}, nil, []string{"--data", "directory"}},
		{[]string{"publish", "a", "--data", "/dev/zero"}, nil,
			[]string{"--data", "more than 65536 bytes", "data.max_bytes"}},
		{[]string{"publish", "a", "--data", latin1}, nil, []string{"--data", "not UTF-8", "iconv"}},
		{[]string{"publish", "a", "--data", deep}, nil, []string{"--data", "deeper than 100 levels"}},
		{[]string{"publish", "a", "--data", "/dev/null"}, []string{"COMET_FILE_DIRECTORY=/nonexistent"},
			[]string{"not available", "/nonexistent"}},
	} {
		p := start(t, t.TempDir(), startOptions{args: test.args, env: test.env})
		p.wantExit(1)
		wantLine(t, p.stderr.String(), test.words...)
		wantOnly(t, p.stdout, "")
	}
}

func TestPublish_EndsOnSIGTERMWhileItWaitsForData(t *testing.T) {
	t.Parallel()
	stdin, data, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	defer stdin.Close()
	if _, err := data.WriteString("a part"); err != nil {
		t.Fatal(err)
	}
	p := start(t, t.TempDir(), startOptions{args: []string{"publish", "a", "--data", "-"}, stdin: stdin})
	servertest.WaitFor(t, "the part is read", func() bool {
		n, err := unix.IoctlGetInt(int(stdin.Fd()), unix.TIOCINQ)
		return err == nil && n == 0
	})
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.wantExit(1)
}
