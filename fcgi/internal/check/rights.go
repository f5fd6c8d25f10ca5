package check

import (
	"fmt"
	"io/fs"
	"os/user"
	"slices"
	"strconv"
	"syscall"
)

// may reports whether the account has these rights (4: read, 2: write, 1: search) by the mode of a file. Access control lists are
// not looked at.
func (a account) may(rights fs.FileMode, info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || a.uid == 0 {
		return true
	}
	mode := info.Mode().Perm()
	switch {
	case int(stat.Uid) == a.uid:
		mode >>= 6
	case slices.Contains(a.groups, int(stat.Gid)):
		mode >>= 3
	}
	return mode&rights == rights
}

// isOwner reports whether the file is the account's.
func (a account) isOwner(info fs.FileInfo) bool { return owner(info) == a.uid }

func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

// String is the name of the user.
func (a account) String() string { return userName(a.uid) }

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return fmt.Sprint("user ", uid)
}

func groupName(gid int) string {
	if g, err := user.LookupGroupId(strconv.Itoa(gid)); err == nil {
		return g.Name
	}
	return fmt.Sprint("group ", gid)
}

// described is whose a file is, and its mode: "srw-rw---- www-data www-data".
func described(info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info.Mode().String()
	}
	return fmt.Sprintf("%s %s %s", listed(stat.Mode), userName(int(stat.Uid)), groupName(int(stat.Gid)))
}

// listed is a mode as ls shows it: "drwxrwsr-x".
func listed(mode uint32) string {
	kinds := map[uint32]byte{syscall.S_IFDIR: 'd', syscall.S_IFSOCK: 's', syscall.S_IFLNK: 'l', syscall.S_IFIFO: 'p', syscall.S_IFREG: '-'}
	b := []byte("?rwxrwxrwx")
	if kind, ok := kinds[mode&syscall.S_IFMT]; ok {
		b[0] = kind
	}
	for i := range 9 {
		if mode&(1<<(8-i)) == 0 {
			b[1+i] = '-'
		}
	}
	for _, special := range []struct {
		bit    uint32
		at     int
		letter byte
	}{{syscall.S_ISUID, 3, 's'}, {syscall.S_ISGID, 6, 's'}, {syscall.S_ISVTX, 9, 't'}} {
		if mode&special.bit == 0 {
			continue
		}
		if b[special.at] == '-' {
			special.letter -= 'a' - 'A'
		}
		b[special.at] = special.letter
	}
	return string(b)
}

// isOrdinary reports whether logind takes the user for one that logs in, by the range of Debian and most others.
func isOrdinary(uid int) bool { return 1000 <= uid && uid < 65000 }
