package main

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"novcomet/core/servertest"
)

// Each source has a socket of its own. The socket that answers shows which source was used.
func TestListen_UsesTheFirstSource(t *testing.T) {
	t.Parallel()
	const flag, systemd, fd0, yaml = "--listen", "systemd", "fd 0", "comet.yaml"
	sources := []string{flag, systemd, fd0, yaml}
	for first := range sources {
		given := sources[first:]
		t.Run(given[0], func(t *testing.T) {
			t.Parallel()
			directory := servertest.OpenDirectory(t)
			var o startOptions
			var used string
			file := writeFile(t, filepath.Join(directory, "comet.yaml"), "")
			for i, source := range given {
				var path string
				switch source {
				case flag:
					path = filepath.Join(directory, "flag.sock")
					o.args = append(o.args, "--listen", "unix:"+path)
				case systemd:
					var socket *os.File
					socket, path = listeningSocket(t)
					o.role, o.files = roleSystemd, []*os.File{socket}
					o.env = append(o.env, "LISTEN_FDS=1")
				case fd0:
					o.stdin, path = listeningSocket(t)
				case yaml:
					path = filepath.Join(directory, "yaml.sock")
					writeFile(t, file, "listen: unix:"+path+"\n")
				}
				if i == 0 {
					used = path
				}
			}
			o.args = append(o.args, "--config", file)
			p := start(t, t.TempDir(), o)
			p.waitUntilLogged("level=INFO msg=ready socket=unix:" + used + "\n")
			wantPublished(t, used, "a")
			if given[0] != yaml && exists(filepath.Join(directory, "yaml.sock")) {
				t.Error("the socket of comet.yaml exists, too")
			}
			p.terminate()
			if created := given[0] == flag || given[0] == yaml; exists(used) == created {
				t.Errorf("after the end, the socket file exists: %v; comet-fcgi created it: %v", exists(used), created)
			}
		})
	}
}

func TestListen_ServesAllSocketsOfSystemd(t *testing.T) {
	t.Parallel()
	one, first := listeningSocket(t)
	two, second := listeningSocket(t)
	p := start(t, t.TempDir(), startOptions{
		role: roleSystemd, env: []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=a:b"}, files: []*os.File{one, two},
	})
	p.waitUntilLogged("msg=ready socket=unix:" + first + ",unix:" + second + "\n")
	for _, path := range []string{first, second} {
		wantPublished(t, path, "a")
	}
}

// A program may inherit the variables of another process. LISTEN_PID is the process that they are for.
func TestListen_IgnoresTheSocketsOfAnotherProcess(t *testing.T) {
	t.Parallel()
	socket, _ := listeningSocket(t)
	p := start(t, t.TempDir(), startOptions{env: []string{"LISTEN_FDS=1", "LISTEN_PID=1"}, files: []*os.File{socket}})
	p.wantExit(2)
}

func TestListen_RefusesAFileThatDoesNotListen(t *testing.T) {
	t.Parallel()
	open := func(name string, fd int, err error) *os.File {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		file := os.NewFile(uintptr(fd), name)
		t.Cleanup(func() { file.Close() })
		return file
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	connected := open("connected", pair[0], err)
	open("the other end", pair[1], err)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	datagram := open("datagram", fd, err)
	fd, err = unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	file := open(os.DevNull, fd, err)
	listening, _ := listeningSocket(t)
	for _, passed := range [][]*os.File{{connected}, {datagram}, {file}, {listening, datagram}} {
		env := []string{"LISTEN_FDS=" + strconv.Itoa(len(passed))}
		p := start(t, t.TempDir(), startOptions{role: roleSystemd, env: env, files: passed})
		p.wantExit(1, "passed by systemd", "ListenStream=", "Accept=no")
	}
	for _, stdin := range []*os.File{connected, datagram, file} { // inetd passes a connected socket.
		start(t, t.TempDir(), startOptions{stdin: stdin}).wantExit(2, "a listening socket on fd 0")
	}
}

func TestListen_ReplacesOnlyTheSocketFileOfAKilledProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(servertest.OpenDirectory(t), "comet.sock")
	options := startOptions{args: []string{"--listen", "unix:" + path}}

	killed := start(t, t.TempDir(), options)
	killed.waitUntilReady()
	_ = killed.Process.Kill()
	<-killed.ended
	if !exists(path) {
		t.Fatal("the killed process has removed its socket")
	}
	running := start(t, t.TempDir(), options)
	running.waitUntilReady()

	start(t, t.TempDir(), options).wantExit(1, path, "another process listens here already")
	wantPublished(t, path, "a")
	running.terminate()
	if exists(path) {
		t.Error("the socket file is left over")
	}
}

func TestListen_RefusesAPathThatIsInUseOrMissing(t *testing.T) {
	t.Parallel()
	directory := servertest.OpenDirectory(t)
	file := writeFile(t, filepath.Join(directory, "file"), "precious")
	link := filepath.Join(directory, "link")
	if err := os.Symlink(filepath.Join(directory, "nowhere"), link); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(directory, "missing")
	for path, words := range map[string][]string{
		file:                    {"in the way"},
		link:                    {"in the way"},
		directory:               {"in the way"},
		missing + "/comet.sock": {"install -d -m 775 -g www-data " + missing, "no such file or directory"},
	} {
		p := start(t, t.TempDir(), startOptions{args: []string{"--listen", "unix:" + path}})
		p.wantExit(1, append(words, path)...)
	}
	if content, err := os.ReadFile(file); err != nil || string(content) != "precious" {
		t.Errorf("%q, %v", content, err)
	}
}

func TestListen_SetsModeAndGroupOfTheSocketFile(t *testing.T) {
	t.Parallel()
	const group = 12345
	own := uint32(os.Getegid())
	for _, test := range []struct {
		name string
		env  []string
		mode os.FileMode
		gid  uint32
	}{
		{"by default", nil, 0o660, own},
		{"open", []string{"COMET_SOCKET_MODE=0666"}, 0o666, own},
		{"closed", []string{"COMET_SOCKET_MODE=0600"}, 0o600, own},
		{"a group's number", []string{"COMET_SOCKET_GROUP=" + strconv.Itoa(group)}, 0o660, group},
		{"a group's name", []string{"COMET_SOCKET_GROUP=daemon"}, 0o660, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.gid != own && os.Geteuid() != 0 {
				t.Skip("only root can give a file to any group")
			}
			path := filepath.Join(servertest.OpenDirectory(t), "comet.sock")
			p := start(t, t.TempDir(), startOptions{
				role: roleUmask, args: []string{"--listen", "unix:" + path}, env: test.env,
			})
			p.waitUntilReady()
			wantPublished(t, path, "a")
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if mode, gid := info.Mode().Perm(), info.Sys().(*syscall.Stat_t).Gid; mode != test.mode || gid != test.gid {
				t.Errorf("mode %o, group %d, want %o, %d", mode, gid, test.mode, test.gid)
			}
		})
	}
	t.Run("an unknown group", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(servertest.OpenDirectory(t), "comet.sock")
		p := start(t, t.TempDir(), startOptions{
			args: []string{"--listen", "unix:" + path}, env: []string{"COMET_SOCKET_GROUP=nonesuch"},
		})
		p.wantExit(1, "socket.group", "nonesuch")
		if exists(path) {
			t.Error("the socket file is left over")
		}
	})
}

func TestListen_OnTCP(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	options := startOptions{args: []string{"--listen", address}}
	p := start(t, t.TempDir(), options)
	p.waitUntilLogged("msg=ready socket=" + address + "\n")
	wantPublished(t, address, "a")
	start(t, t.TempDir(), options).wantExit(1, "comet-fcgi: listen tcp "+address+": ", "address already in use")
	p.terminate()
}
