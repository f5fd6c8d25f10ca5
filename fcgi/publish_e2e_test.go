//go:build e2e

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"novcomet/core/servertest"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// testStore is one of the three stores.
type testStore struct {
	name string
	env  []string
	has  func(event string) bool
}

// eachStore runs a test with each store. env is for startOptions and startServer.
func eachStore(t *testing.T, f func(t *testing.T, s testStore)) {
	directory := t.TempDir()
	memcached, redis := servertest.StartMemcached(t), servertest.StartRedis(t, servertest.RedisOptions{})
	for _, s := range []testStore{
		{"files", []string{"COMET_FILE_DIRECTORY=" + directory},
			func(event string) bool { return exists(filepath.Join(directory, event+".comet")) }},
		{"memcached", []string{"COMET_STORE=memcached", "COMET_MEMCACHED_SERVERS=" + memcached.Address()},
			func(event string) bool { return memcached.Do("get novcomet:"+event) != "END" }},
		{"redis", []string{"COMET_STORE=redis", "COMET_REDIS_ADDRESSES=" + redis.Address()},
			func(event string) bool { return redis.Do("EXISTS", "novcomet:"+event) == int64(1) }},
	} {
		s.env = append([]string{"COMET_FILE_DIRECTORY=/nonexistent", patientStore}, s.env...)
		t.Run(s.name, func(t *testing.T) { f(t, s) })
	}
}

// wantSilent runs comet-fcgi publish, which prints nothing if it succeeds.
func wantSilent(t *testing.T, o startOptions) {
	t.Helper()
	p := start(t, "", o)
	p.wantExit(0)
	wantOnly(t, p.stdout, "")
	wantOnly(t, p.stderr, "")
}

func TestPublish_PublishesInTheStoreAndPrintsNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, s testStore) {
		for _, args := range [][]string{
			{"publish", "a"}, {"publish", "--", "-b"},
			{"--config", "/dev/null", "publish", "c"}, {"publish", "d", "--config=/dev/null"},
		} {
			wantSilent(t, startOptions{args: args, env: s.env})
		}
		for _, event := range []string{"a", "-b", "c", "d"} {
			if !s.has(event) {
				t.Errorf("%s was not published", event)
			}
		}
	})
}

func TestPublish_PublishesDataOfAFileOrStandardInput(t *testing.T) {
	file := writeFile(t, filepath.Join(t.TempDir(), "data"), `{"n":1}`)
	eachStore(t, func(t *testing.T, s testStore) {
		_, path := startServer(t, "", s.env...)
		for _, test := range []struct {
			args  []string
			stdin string
			data  string
		}{
			{[]string{"publish", "a", "--data", file}, "something else", `,"d":{"a":{"n":1}}`},
			{[]string{"publish", "--data=-", "a"}, "a text\n", `,"d":{"a":"a text"}`},
			{[]string{"publish", "a"}, "something else", `,"d":{"a":"a text"}`},
			{[]string{"publish", "a", "--data", "/dev/null"}, "something else", ""},
		} {
			stdin, err := os.Open(writeFile(t, filepath.Join(t.TempDir(), "stdin"), test.stdin))
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			wantSilent(t, startOptions{args: test.args, env: s.env, stdin: stdin})
			answer := ask(t, path, Get("subscribed[a]=0.000000&data=1"), "").Body
			if _, after, _ := strings.Cut(answer, "}"); !strings.HasPrefix(after, test.data+`,"at"`) {
				t.Errorf("%q: %s; want %s", test.args, answer, test.data)
			}
		}
	})
}
