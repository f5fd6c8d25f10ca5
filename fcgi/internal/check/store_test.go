package check_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/event"
	"novcomet/core/store"
	"novcomet/fcgi/internal/check"
)

// remoteStore is a store on another machine.
type remoteStore struct {
	core.CheckFunc
	err error
}

func (r remoteStore) Check(_ context.Context, ids []event.ID) (store.Snapshot, error) {
	return store.Snapshot{Now: event.StampOf(time.Now()), Stamps: make([]event.Stamp, len(ids))}, r.err
}

func (r remoteStore) Publish(context.Context, event.ID, []byte) (event.Stamp, error) { return 1, r.err }

func TestStore_OutOfReachIsAProblem(t *testing.T) {
	t.Parallel()
	redis := []string{"COMET_STORE=redis"}
	r := installation{store: remoteStore{}, env: redis}.check(t)
	wantFinding(t, r, check.OK, "store", "answers after")

	gone := fmt.Errorf("%w: connection refused", store.ErrUnavailable)
	r = installation{store: remoteStore{err: gone}, env: redis}.check(t)
	wantFinding(t, r, check.Problem, "store", "connection refused", "start it")

	r = installation{storeError: errors.New("redis.password_file: no such file")}.check(t)
	wantFinding(t, r, check.Problem, "store", "redis.password_file")
}

func TestStore_DirectoryIsJudged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open, file, link := filepath.Join(dir, "open"), filepath.Join(dir, "file"), filepath.Join(dir, "link")
	for _, err := range []error{
		os.WriteFile(file, nil, 0o600), os.Mkdir(open, 0o700), os.Chmod(open, 0o777), os.Symlink("nowhere", link),
		os.Chmod(dir, 0o750),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name, directory string
		verdict         check.Verdict
		about           string
		words           []string
	}{
		{"good", dir, check.OK, "directory", []string{dir + ": mode 0750, owner "}},
		{"watched", dir, check.OK, "inotify", []string{"can watch"}},
		{"missing", dir + "/none", check.Problem, "directory", []string{"no such file", "install -d"}},
		{"a dangling link", link, check.Problem, "directory", []string{"no such file"}},
		{"a file", file, check.Problem, "directory", []string{"not a directory"}},
		{"open to all", open, check.Warning, "directory", []string{"can delete", "chmod o-w"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := installation{env: []string{"COMET_FILE_DIRECTORY=" + test.directory}}.check(t)
			wantFinding(t, r, test.verdict, test.about, test.words...)
		})
	}
}
