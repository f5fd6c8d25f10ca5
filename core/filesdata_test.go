package core_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"novcomet/core"
)

// carried returns what the event carries, "" for nothing.
func carried(t testing.TB, store core.Carrier, name string) string {
	t.Helper()
	data, err := store.Data(t.Context(), []core.ID{mustID(t, name)}, 100)
	if err != nil || len(data) != 1 {
		t.Fatalf("%q, %v", data, err)
	}
	return string(data[0].Data)
}

func TestDataReplacesTheFileAndKeepsItsModeAndGroup(t *testing.T) {
	store, directory := newFiles(t)
	path := filepath.Join(directory, "a.comet")
	var last core.Stamp
	for i := range 200 {
		text := fmt.Sprint(i)
		got, err := store.PublishData(t.Context(), mustID(t, "a"), []byte(text))
		if err != nil || got <= last || got != stamp(t, store, "a") {
			t.Fatalf("publication %d: %v after %v, %v; the file has %v", i, got, last, err, stamp(t, store, "a"))
		}
		if c := carried(t, store, "a"); c != text {
			t.Fatalf("it carries %q, want %q", c, text)
		}
		last = got
	}
	if mode := lstat(t, path).Mode & 0o7777; mode != 0o664 {
		t.Errorf("a new file has mode %o, want 664", mode)
	}
	if err := os.Chmod(path, 0o646); err != nil {
		t.Fatal(err)
	}
	const group = 4
	if err := os.Chown(path, -1, group); err != nil {
		t.Skip(err)
	}
	if _, err := store.PublishData(t.Context(), mustID(t, "a"), nil); err != nil {
		t.Fatal(err)
	}
	if got := lstat(t, path); got.Mode&0o7777 != 0o646 || got.Gid != group || got.Size != 0 {
		t.Errorf("mode %o, group %d, %d bytes; want 646, %d, 0", got.Mode&0o7777, got.Gid, got.Size, group)
	}
	if files, err := os.ReadDir(directory); err != nil || len(files) != 1 {
		t.Errorf("in the directory are %v, %v", files, err)
	}
}

func TestAStampAheadIsKeptInOrderByDataToo(t *testing.T) {
	store, directory := newFiles(t)
	for ahead, later := range map[time.Duration]bool{1500 * time.Millisecond: true, time.Hour: false} {
		path := filepath.Join(directory, "a.comet")
		mustWrite(t, path, "")
		at := time.Now().Add(ahead)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		if got, err := store.PublishData(t.Context(), mustID(t, "a"), []byte("x")); err != nil || got > core.StampOf(at) != later {
			t.Errorf("%v ahead: %v after %v, %v", ahead, got, core.StampOf(at), err)
		}
	}
}

// Each content is one letter, many times: a mixture was torn. And whoever is told of a stamp gets its data, or later one.
func TestWhoeverReadsSeesTheOldDataOrTheNew(t *testing.T) {
	store, directory := newFiles(t)
	const size, publications = 60_000, 400
	stop := make(chan struct{})
	var reading sync.WaitGroup
	for range 2 {
		reading.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				data, err := store.Data(context.Background(), []core.ID{mustID(t, "a")}, size)
				if err != nil {
					t.Error(err)
					return
				}
				if d := data[0].Data; d != nil && (len(d) != size || bytes.Count(d, d[:1]) != size) {
					t.Errorf("%d bytes of different publications", len(d))
					return
				}
			}
		})
	}
	for i := range publications {
		if _, err := store.PublishData(t.Context(), mustID(t, "a"), bytes.Repeat([]byte{byte('a' + i%26)}, size)); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	reading.Wait()
	if files, _ := filepath.Glob(filepath.Join(directory, ".*")); len(files) > 0 {
		t.Errorf("left behind: %q", files)
	}
}

// Whoever reads for an older stamp may come in the middle of a write.
func TestAFileThatIsBeingWrittenIsReadAgainUntilItIsComplete(t *testing.T) {
	for name, test := range map[string]struct {
		writes int
		want   string
		after  time.Duration
	}{
		"one that is complete":          {0, "0", time.Millisecond},
		"one that is complete soon":     {1, "01", 2 * time.Millisecond},
		"one that never seems to be so": {20, "", 3 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			store, directory := newFiles(t)
			path := filepath.Join(directory, "a.comet")
			synctest.Test(t, func(t *testing.T) { // Its clock is behind the kernel's, so every file was written just now.
				mustWrite(t, path, "0")
				go func() {
					file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
					if err != nil {
						t.Error(err)
						return
					}
					defer file.Close()
					for i := range test.writes {
						time.Sleep(900 * time.Microsecond)
						fmt.Fprint(file, i+1)
					}
				}()
				began := time.Now()
				if got := carried(t, store, "a"); got != test.want || time.Since(began) != test.after {
					t.Errorf("%q after %v, want %q after %v", got, time.Since(began), test.want, test.after)
				}
				time.Sleep(time.Second)
			})
		})
	}
}

func TestWhatCannotBeReadIsNoData(t *testing.T) {
	for name, test := range map[string]struct {
		make func(path string) error
		want string
		err  error
	}{
		"nothing there":   {func(string) error { return nil }, "", nil},
		"an empty file":   {func(path string) error { return os.WriteFile(path, nil, 0o600) }, "", nil},
		"as much as fits": {func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("x"), 100), 0o600) }, strings.Repeat("x", 100), nil},
		"a byte too much": {func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("x"), 101), 0o600) }, "", core.ErrTooLong},
		"a huge file":     {func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<40)) }, "", core.ErrTooLong},
		"a directory":     {func(path string) error { return os.Mkdir(path, 0o700) }, "", nil},
		"a FIFO":          {func(path string) error { return unix.Mkfifo(path, 0o600) }, "", nil},
		"a link to a file": {func(path string) error {
			return errors.Join(os.WriteFile(path+"~", []byte("x"), 0o600), os.Symlink(path+"~", path))
		}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			store, directory := newFiles(t)
			if err := test.make(filepath.Join(directory, "a.comet")); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, filepath.Join(directory, "b.comet"), "beside")
			data, err := store.Data(t.Context(), []core.ID{mustID(t, "a"), mustID(t, "b")}, 100)
			if err != nil || string(data[0].Data) != test.want || !errors.Is(data[0].Err, test.err) || string(data[1].Data) != "beside" {
				t.Errorf("%q, %v; want %q, %v, and what is beside it", data, err, test.want, test.err)
			}
		})
	}
}

// readByOther are files of which another user reads the data.
type readByOther struct {
	*core.Files
	t *testing.T
}

func (f *readByOther) Data(ctx context.Context, ids []core.ID, limit int) (data []core.Content, err error) {
	const other = 65534
	asUser(f.t, other, func() { data, err = f.Files.Data(ctx, ids, limit) })
	return data, err
}

// A file that mktemp made has mode 0600: a page hears of the event, and the administrator must hear why its data is missing.
func TestFiles_AFileThatMayNotBeReadIsLoggedOnceUntilItChanges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	directory, err := os.MkdirTemp("/dev/shm", "novcomet-test-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(directory) })
	path := filepath.Join(directory, "a.comet")
	written := func(at time.Time) {
		for _, err := range []error{os.Chmod(directory, 0o755), os.WriteFile(path, []byte("x"), 0o600), os.Chtimes(path, at, at)} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	log, lines := recorded()
	endpoint := core.NewEndpoint(&readByOther{&core.Files{Directory: directory}, t}, core.Settings{Tries: 1})
	endpoint.Log = log
	polls := func(wantData bool, wantLines int) {
		t.Helper()
		for range 3 {
			_, body := ask(t, endpoint, "subscribed[a]=0.0&data=1")
			if !strings.HasPrefix(body, `{"s":1,`) || strings.Contains(body, `"d":{"a":"x"}`) != wantData {
				t.Errorf("answered %s; with data: %v", body, wantData)
			}
		}
		got := lines()
		if last := got[len(got)-1]; len(got) != wantLines || !strings.Contains(last, "event=a") || !strings.Contains(last, "permission denied") || !strings.Contains(last, "chmod 0644") {
			t.Errorf("logged %q; want %d lines with the event, the reason and the remedy", got, wantLines)
		}
	}
	written(start)
	polls(false, 1)
	written(start.Add(time.Second))
	polls(false, 2)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	polls(true, 2)
}

func TestDataInTheWayOfSomethingElseIsNotPublished(t *testing.T) {
	store, directory := newFiles(t)
	path := filepath.Join(directory, "a.comet")
	if err := os.Symlink("/etc/passwd", path); err != nil {
		t.Fatal(err)
	}
	if _, err := store.PublishData(t.Context(), mustID(t, "a"), []byte("x")); err == nil || !strings.Contains(err.Error(), "a.comet") {
		t.Errorf("%v; want an error that names it", err)
	}
	if target, err := os.Readlink(path); err != nil || target != "/etc/passwd" {
		t.Errorf("it is %q, %v", target, err)
	}
}

func TestADirectoryThatRefusesDataIsForbiddenAndSaysWhy(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files to another user and become one")
	}
	const me, other = 65534, 12345
	for name, test := range map[string]struct {
		directory os.FileMode
		mode      os.FileMode
		want      error
	}{
		"another user's file where the directory is sticky":     {0o777 | os.ModeSticky, 0o666, core.ErrRefused},
		"another user's file, of a group that is not one's own": {0o777, 0o666, core.ErrRefused},
		"a directory that may not be written":                   {0o755, 0o666, core.ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			directory, err := os.MkdirTemp("/dev/shm", "novcomet-test-*")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(directory) })
			path := filepath.Join(directory, "a.comet")
			mustWrite(t, path, "before")
			for _, err := range []error{os.Chmod(directory, test.directory), os.Chown(path, other, other), os.Chmod(path, test.mode)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			asUser(t, me, func() {
				store := &core.Files{Directory: directory, Mode: 0o664}
				endpoint := core.NewEndpoint(store, core.Settings{})
				endpoint.Log = discard
				_, err := store.PublishData(t.Context(), mustID(t, "a"), []byte("after"))
				status, body := send(t, endpoint, httptest.NewRequest(http.MethodPut, "/?publish=a", strings.NewReader("after")))
				if !errors.Is(err, test.want) || status != http.StatusForbidden || !strings.Contains(body, "permitted") && !strings.Contains(body, "denied") {
					t.Errorf("%v, HTTP %d %s; want 403 that says why", err, status, body)
				}
			})
			if files, err := os.ReadDir(directory); err != nil || len(files) != 1 {
				t.Errorf("in the directory are %v, %v", files, err)
			}
			if content, err := os.ReadFile(path); err != nil || string(content) != "before" {
				t.Errorf("%q, %v", content, err)
			}
		})
	}
}

// `echo x > file` truncates and writes, which may be within one tick of the kernel's clock, and a look between the two. Each of
// 1,000 such contents is the last one for a while, some after others that were not, and must be told to a poll and a stream.
func TestTheLastContentThatEchoWritesIsAlwaysDelivered(t *testing.T) {
	for _, fine := range []bool{false, true} {
		t.Run(fmt.Sprintf("fine=%v", fine), func(t *testing.T) {
			store, directory := newFiles(t)
			if err := store.Probe(); err != nil {
				t.Fatal(err)
			}
			if fine && !store.Fine {
				t.Skip("this kernel's stamps are coarse")
			}
			store.Fine = fine
			endpoint := core.NewEndpoint(store, core.Settings{})
			defer endpoint.Close()
			ctx, leave := context.WithCancel(t.Context())
			var everybody sync.WaitGroup
			defer everybody.Wait()
			defer leave()
			const events, echoes = 20, 50
			clients := map[string][]*client{}
			for i := range events {
				event := fmt.Sprintf("event-%d", i)
				for _, stream := range []*reading{nil, {breaks: []int{0}}} {
					c := &client{now: realInstant, subscriber: subscriber{precise: true, data: true, stream: stream, events: []string{event},
						pauses: []time.Duration{0}, tries: 100, sleep: 100 * time.Millisecond}}
					clients[event] = append(clients[event], c)
					everybody.Go(func() { c.run(ctx, func() *process { return &process{endpoint: endpoint} }) })
				}
			}
			await(t, "the first answer", func() (missing string) {
				for event, readers := range clients {
					for _, c := range readers {
						if c.answers.Load() == 0 {
							missing = event
						}
					}
				}
				return missing
			})
			for echo := range echoes {
				for event := range clients {
					for i := range rand.IntN(3) {
						mustWrite(t, filepath.Join(directory, event+".comet"), fmt.Sprintf("%d of burst %d\n", i, echo))
					}
					mustWrite(t, filepath.Join(directory, event+".comet"), fmt.Sprintf("echo %d\n", echo))
				}
				want := fmt.Sprintf(`"echo %d"`, echo)
				await(t, want, func() string {
					for event, readers := range clients {
						for i, c := range readers {
							c.mu.Lock()
							got := c.carried[event]
							c.mu.Unlock()
							if got != want {
								return fmt.Sprintf("reader %d of %s was told %s", i, event, got)
							}
						}
					}
					return ""
				})
			}
		})
	}
}
