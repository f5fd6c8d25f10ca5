//go:build e2e

package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"novcomet/core/servertest"
)

// stored is a store, and whether it has an event.
type stored struct {
	name string
	env  []string
	has  func(event string) bool
}

func stores(t *testing.T) []stored {
	directory := t.TempDir()
	memcached, redis := servertest.StartMemcached(t), servertest.StartRedis(t, servertest.RedisOptions{})
	return []stored{
		{"files", []string{"COMET_FILE_DIRECTORY=" + directory}, func(event string) bool { return exists(filepath.Join(directory, event+".comet")) }},
		{"memcached", []string{"COMET_STORE=memcached", "COMET_MEMCACHED_SERVERS=" + memcached.Address(), "COMET_FILE_DIRECTORY=/nonexistent"},
			func(event string) bool { return memcached.Do("get novcomet:"+event) != "END" }},
		{"redis", []string{"COMET_STORE=redis", "COMET_REDIS_ADDRESSES=" + redis.Address(), "COMET_FILE_DIRECTORY=/nonexistent"},
			func(event string) bool { return redis.Do("EXISTS", "novcomet:"+event) == int64(1) }},
	}
}

func TestPublishPublishesInTheStoreAndSaysNothing(t *testing.T) {
	for _, store := range stores(t) {
		for _, args := range [][]string{{"publish", "a"}, {"publish", "--", "-b"}, {"--config", "/dev/null", "publish", "c"}, {"publish", "d", "--config=/dev/null"}} {
			p := start(t, "", arrangement{args: args, env: append([]string{"COMET_FILE_DIRECTORY="}, store.env...)})
			if status := p.status(); status != 0 || p.stdout.String()+p.stderr.String() != "" {
				t.Errorf("%s: %q ended with status %d, and said %s%s", store.name, args, status, p.stdout, p.stderr)
			}
		}
		for _, event := range []string{"a", "-b", "c", "d"} {
			if !store.has(event) {
				t.Errorf("%s: %s was not published", store.name, event)
			}
		}
	}
}

func TestPublishPublishesWhatAFileOrStandardInputHas(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "data"), `{"n":1}`)
	for _, store := range stores(t) {
		env := append([]string{"COMET_FILE_DIRECTORY="}, store.env...)
		_, path := served(t, "", env...)
		for _, test := range []struct {
			args  []string
			input string
			data  string
		}{
			{[]string{"publish", "a", "--data", file}, "something else", `,"d":{"a":{"n":1}}`},
			{[]string{"publish", "--data=-", "a"}, "a text\n", `,"d":{"a":"a text"}`},
			{[]string{"publish", "a"}, "something else", `,"d":{"a":"a text"}`},
			{[]string{"publish", "a", "--data", "/dev/null"}, "something else", ""},
		} {
			p := start(t, "", arrangement{args: test.args, env: env, stdin: input(t, test.input)})
			if status := p.status(); status != 0 || p.stdout.String()+p.stderr.String() != "" {
				t.Errorf("%s: %q ended with status %d, and said %s%s", store.name, test.args, status, p.stdout, p.stderr)
			}
			answer := ask(t, path, asked("subscribed[a]=0.000000&data=1"), "").body
			if _, after, _ := strings.Cut(answer, "}"); !strings.HasPrefix(after, test.data+`,"at"`) {
				t.Errorf("%s: %q: %s; want %s", store.name, test.args, answer, test.data)
			}
		}
	}
}

// input returns what a program is to read.
func input(t *testing.T, content string) *os.File {
	t.Helper()
	read, say, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close() })
	if _, err := say.WriteString(content); err != nil { // It has room in the pipe.
		t.Fatal(err)
	}
	if err := say.Close(); err != nil {
		t.Fatal(err)
	}
	return read
}

func TestDataThatNeverComesKeepsNobodyFromEndingIt(t *testing.T) {
	t.Parallel()
	read, say, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer say.Close()
	defer read.Close()
	if _, err := say.WriteString("some, and no more"); err != nil {
		t.Fatal(err)
	}
	p := start(t, t.TempDir(), arrangement{args: []string{"publish", "a", "--data", "-"}, stdin: read})
	eventually(t, "it has read what there is", func() bool {
		n, err := unix.IoctlGetInt(int(read.Fd()), unix.TIOCINQ)
		return err == nil && n == 0
	})
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := p.status(); status != 1 {
		t.Errorf("status %d, want 1", status)
	}
}

func TestPublishSaysWhyItCouldNot(t *testing.T) {
	t.Parallel()
	config := write(t, filepath.Join(t.TempDir(), "comet.yaml"), "store: memcached\nmemcached.servers: 127.0.0.1:1\n")
	latin1 := write(t, filepath.Join(t.TempDir(), "latin1"), "Gr\xfc\xdfe")
	deep := write(t, filepath.Join(t.TempDir(), "deep"), strings.Repeat("[", 101)+strings.Repeat("]", 101))
	for _, test := range []struct {
		args   []string
		env    []string
		status int
		words  []string
	}{
		{[]string{"publish", "a"}, []string{"COMET_FILE_DIRECTORY=/nonexistent"}, 1, []string{"not available", "/nonexistent"}},
		{[]string{"publish", "a", "--config", config}, nil, 1, []string{"not available", "127.0.0.1:1"}},
		{[]string{"publish", "a"}, []string{"COMET_STORE=redis", "COMET_REDIS_ADDRESSES=127.0.0.1:1"}, 1, []string{"not available", "127.0.0.1:1"}},
		{[]string{"publish", "a"}, []string{"COMET_STORE=redis", "COMET_REDIS_PASSWORD_FILE=/nonexistent"}, 1, []string{"redis.password_file", "/nonexistent"}},
		{[]string{"publish", "a/b"}, nil, 1, []string{"not allowed", "a/b"}},
		{[]string{"publish", ""}, nil, 1, []string{"not allowed"}},
		{[]string{"publish", "a"}, []string{"COMET_TRIES=many"}, 1, []string{"COMET_TRIES", "many"}},
		{[]string{"publish", "a", "--data", "/nonexistent"}, nil, 1, []string{"--data", "/nonexistent"}},
		{[]string{"publish", "a", "--data", "/"}, nil, 1, []string{"--data", "directory"}},
		{[]string{"publish", "a", "--data", "/dev/zero"}, nil, 1, []string{"--data", "more than 65536 bytes", "data.max_bytes"}},
		{[]string{"publish", "a", "--data", latin1}, nil, 1, []string{"--data", "not UTF-8", "iconv"}},
		{[]string{"publish", "a", "--data", deep}, nil, 1, []string{"--data", "deeper than 100 levels"}},
		{[]string{"publish", "a", "--data", "/dev/null"}, []string{"COMET_FILE_DIRECTORY=/nonexistent"}, 1, []string{"not available", "/nonexistent"}},
		{[]string{"--data", "/dev/null"}, nil, 2, []string{"--data is for comet-fcgi publish"}},
		{[]string{"publish"}, nil, 2, []string{"publish ID"}},
		{[]string{"publish", "a", "b"}, nil, 2, []string{"publish ID"}},
		{[]string{"Publish", "a"}, nil, 2, []string{`"Publish"`}},
	} {
		p := start(t, t.TempDir(), arrangement{args: test.args, env: test.env})
		if status := p.status(); status != test.status {
			t.Errorf("%q: status %d, want %d", test.args, status, test.status)
		}
		wantText(t, p.stderr.String(), test.words...)
		if lines := strings.Count(p.stderr.String(), "\n"); lines != 1 || p.stdout.String() != "" {
			t.Errorf("%q said %s%s; want one line", test.args, p.stdout, p.stderr)
		}
	}
}

func TestServe_DeliversPublicationsOfAnotherProcess(t *testing.T) {
	for _, store := range stores(t) {
		env := append([]string{"COMET_FILE_DIRECTORY=", "COMET_TRIES=200"}, store.env...)
		_, one := served(t, "", env...)
		_, other := served(t, "", env...)
		w := connect(t, one)
		w.send(t, sentRequest(1, 0, asked("subscribed[a]=0.000000"), ""))
		wantWaiting(t, one, 1)
		wantAnswer(t, ask(t, other, asked("publish=a"), ""), http.StatusOK, "true")
		w.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	}
}

// Polls wait for the server, and publications fail.
func TestServe_StartsWithoutTheStoresServer(t *testing.T) {
	t.Parallel()
	for _, env := range [][]string{
		{"COMET_STORE=memcached", "COMET_MEMCACHED_SERVERS=127.0.0.1:1"},
		{"COMET_STORE=redis", "COMET_REDIS_ADDRESSES=127.0.0.1:1"},
	} {
		p, path := served(t, t.TempDir(), env...)
		wantAnswer(t, ask(t, path, asked("publish=a"), ""), http.StatusServiceUnavailable, "false")
		wantAnswer(t, ask(t, path, asked("subscribed[a]=now"), ""), http.StatusOK, `{"s":0,"at":{"a":"now"}}`)
		wantText(t, p.stderr.String(), "store check failed", "127.0.0.1:1")
	}
}

// The store is opened once. Another one needs a restart. At the end, its connections are closed.
func TestReload_KeepsTheStore(t *testing.T) {
	t.Parallel()
	redis := servertest.StartRedis(t, servertest.RedisOptions{})
	connections := func() int {
		return len(strings.Split(strings.TrimSpace(fmt.Sprint(redis.Do("CLIENT", "LIST"))), "\n"))
	}
	unused := connections()
	inRedis := "tries: 2000\nsleep: 20ms\nstore: redis\nredis.addresses: " + redis.Address() + "\n"
	r := startReloading(t, inRedis)
	wantText(t, r.reload("tries: 2000\nsleep: 20ms\nfile.directory: "+t.TempDir()+"\n"),
		"settings reloaded", "need a restart", "keys=file.directory,store,redis.addresses")
	w := connect(t, r.path)
	w.send(t, sentRequest(1, 0, asked("subscribed[a]=0.000000"), ""))
	wantWaiting(t, r.path, 1)
	redis.Do("HSET", "novcomet:a", "s", "1763800000123456")
	w.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":1763800000.123456}`)
	r.terminate()
	eventually(t, "the connections are closed", func() bool { return connections() == unused })
}
