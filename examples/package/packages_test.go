package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestPackages_HaveTheSameFiles(t *testing.T) {
	_, deb := shell(t, `dpkg-deb -x "$1" .`, one(t, "*_amd64.deb"))
	_, rpm := shell(t, `rpm2archive - <"$1" | tar -xz`, one(t, "*.x86_64.rpm"))
	want := tree(t, deb)
	maps.DeleteFunc(want, func(path, _ string) bool { // Only Debian has these directories.
		return strings.HasPrefix(path, "/etc/apache2/") || strings.HasPrefix(path, "/etc/lighttpd/")
	})
	if got := tree(t, rpm); !maps.Equal(got, want) {
		t.Errorf("rpm: %q\ndeb: %q", got, want)
	}
	deb, _ = shell(t, `dpkg-deb -I "$1" conffiles | grep -vE '^/etc/(apache2|lighttpd)/' | sort`, one(t, "*_amd64.deb"))
	rpm, _ = shell(t, `rpm -qp --configfiles "$1" | sort`, one(t, "*.x86_64.rpm"))
	if rpm != deb {
		t.Errorf("configuration files: rpm %q, deb %q", rpm, deb)
	}
}

// RPM removes a directory only if the package names it.
func TestPackages_HaveTheirDirectories(t *testing.T) {
	got, _ := shell(t, `rpm -qp --qf '[%{FILENAMES} %{FILEMODES:perms}\n]' "$1" | sed -n 's/ drwxr-xr-x$//p' | sort`,
		one(t, "*.x86_64.rpm"))
	want, _ := shell(t, `dpkg-deb -c "$1" | sed -n 's|^drwxr-xr-x.* \.\(/.*/novcomet.*\)/$|\1|p' | sort`,
		one(t, "*_amd64.deb"))
	if got != want || !strings.HasPrefix(got, "/etc/novcomet\n/usr/lib/novcomet\n/usr/share/doc/novcomet\n") {
		t.Errorf("rpm: %q, deb: %q", got, want)
	}
}

func TestPackages_NameTheirOwnPaths(t *testing.T) {
	_, dir := shell(t, `dpkg-deb -x "$1" .`, one(t, "*_amd64.deb"))
	byHand := regexp.MustCompile(`/usr/local|/usr/lib/cgi-bin|remove /usr`)
	for _, p := range places {
		data, err := os.ReadFile(filepath.Join(dir, p.target))
		if err != nil {
			t.Error(err)
		}
		if strings.HasPrefix(p.name, "examples/") && byHand.Match(data) {
			t.Errorf("%s names %s", p.target, byHand.Find(data))
		}
	}
}

func TestPackages_AreOlderThanTheRelease(t *testing.T) {
	const compare = `dpkg --compare-versions "$(dpkg-deb -f "$1" Version)" lt 1.2.3 && echo older`
	deb, _ := shell(t, compare, one(t, "*_amd64.deb"))
	rpm, _ := shell(t, `rpm -qp --qf '%{VERSION}' "$1"`, one(t, "*.x86_64.rpm"))
	if deb != "older\n" || rpm != "1.2.3~rc.1" { // "~" sorts before the end.
		t.Errorf("deb: %q, rpm: %q", deb, rpm)
	}
}
