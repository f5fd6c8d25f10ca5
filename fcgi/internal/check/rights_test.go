package check

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestRightsAreThoseOfTheOwnerElseOfTheGroupElseOfOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stat := func(mode os.FileMode) os.FileInfo {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	info := stat(0o600)
	uid, gid := owner(info), int(info.Sys().(*syscall.Stat_t).Gid)
	mine, group, other := account{uid, nil}, account{uid + 1, []int{gid + 1, gid}}, account{uid + 1, []int{gid + 1}}
	for _, test := range []struct {
		mode                os.FileMode
		mine, group, others bool // may write
	}{
		{0o600, true, false, false}, {0o660, true, true, false}, {0o666, true, true, true},
		{0o466, uid == 0, true, true}, {0o626, true, true, true}, {0o606, true, false, true},
	} {
		info := stat(test.mode)
		if mine.may(2, info) != test.mine || group.may(2, info) != test.group || other.may(2, info) != test.others {
			t.Errorf("%o: the owner may write: %v, the group: %v, others: %v", test.mode, mine.may(2, info), group.may(2, info), other.may(2, info))
		}
	}
	if (account{uid: 0}).may(2, stat(0)) != true {
		t.Error("root may do everything")
	}
}

func TestAModeIsListedAsLsDoes(t *testing.T) {
	for mode, want := range map[uint32]string{
		syscall.S_IFDIR | 0o1777: "drwxrwxrwt", syscall.S_IFDIR | 0o2775: "drwxrwsr-x", syscall.S_IFSOCK | 0o660: "srw-rw----",
		syscall.S_IFREG | 0o4644: "-rwSr--r--", syscall.S_IFREG | 0o1666: "-rw-rw-rwT", 0: "?---------",
	} {
		if got := listed(mode); got != want {
			t.Errorf("%o: %s, want %s", mode, got, want)
		}
	}
}

func TestTheTimeOfACursorIsInMicroseconds(t *testing.T) {
	for cursor, want := range map[string]time.Time{
		"1763800000.123456": time.UnixMicro(1763800000123456), "1763800000.5": time.UnixMicro(1763800000500000),
		"0.000000": {}, "": {}, "now": {}, "1763800000": {}, "x.5": {},
	} {
		if got := timeOf(cursor); !got.Equal(want) {
			t.Errorf("%q: %v, want %v", cursor, got, want)
		}
	}
}

func TestThisProcessIsKnown(t *testing.T) {
	p := read(os.Getpid())
	if p == nil || p.uid != os.Geteuid() || p.openFiles() == 0 {
		t.Errorf("%+v", p)
	}
	found := false
	for _, r := range running(command(os.Getpid())) {
		found = found || r.pid == os.Getpid()
	}
	if !found {
		t.Error("it is not among those that run")
	}
	if read(1<<30) != nil || command(1<<30) != "" {
		t.Error("a process that there is not is known")
	}
}
