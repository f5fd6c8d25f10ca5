package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Each source listens on a socket of its own; the one that answers tells which was taken.
func TestTheSocketComesFromTheFirstSourceThatThereIs(t *testing.T) {
	t.Parallel()
	const flag, systemd, fd0, yaml = "--listen", "systemd", "fd 0", "comet.yaml"
	sources := []string{flag, systemd, fd0, yaml}
	for first := range sources {
		given := sources[first:]
		t.Run(given[0], func(t *testing.T) {
			t.Parallel()
			directory := shortDir(t)
			var a arrangement
			var taken string
			file := filepath.Join(directory, "comet.yaml")
			write(t, file, "")
			for i, source := range given {
				var path string
				switch source {
				case flag:
					path = filepath.Join(directory, "flag.sock")
					a.args = append(a.args, "--listen", "unix:"+path)
				case systemd:
					var socket *os.File
					socket, path = boundSocket(t)
					a.part, a.files = asSystemd, []*os.File{socket}
					a.env = append(a.env, "LISTEN_FDS=1")
				case fd0:
					a.stdin, path = boundSocket(t)
				case yaml:
					path = filepath.Join(directory, "yaml.sock")
					write(t, file, "listen: unix:"+path+"\n")
				}
				if i == 0 {
					taken = path
				}
			}
			a.args = append(a.args, "--config", file)
			p := start(t, t.TempDir(), a)
			awaitSocket(t, p, taken)
			wantAnswer(t, ask(t, taken, asked("publish=a"), ""), http.StatusOK, "true")
			for _, source := range given[1:] {
				if source == yaml && exists(filepath.Join(directory, "yaml.sock")) {
					t.Error("it listens where comet.yaml says, too")
				}
			}
			p.terminate()
			if made := given[0] == flag || given[0] == yaml; exists(taken) == made {
				t.Errorf("after its end the socket file exists: %v; made by comet-fcgi: %v", exists(taken), made)
			}
		})
	}
}

func TestEverySocketOfSystemdIsServed(t *testing.T) {
	t.Parallel()
	one, first := boundSocket(t)
	two, second := boundSocket(t)
	start(t, t.TempDir(), arrangement{part: asSystemd, env: []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=a:b"}, files: []*os.File{one, two}})
	for _, path := range []string{first, second} {
		wantAnswer(t, ask(t, path, asked("publish=a"), ""), http.StatusOK, "true")
	}
}

// LISTEN_PID keeps the variables from meaning a program that only inherited them.
func TestSocketsThatSystemdPassedToAnotherProcessAreNotTaken(t *testing.T) {
	t.Parallel()
	socket, _ := boundSocket(t)
	p := start(t, t.TempDir(), arrangement{env: []string{"LISTEN_FDS=1", "LISTEN_PID=1"}, files: []*os.File{socket}})
	if status := p.status(); status != 2 {
		t.Errorf("status %d, want 2; it said: %s", status, p.stderr)
	}
}

func TestWhatIsNoListeningSocketIsRefused(t *testing.T) {
	t.Parallel()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	connected, other := os.NewFile(uintptr(pair[0]), "connected"), os.NewFile(uintptr(pair[1]), "other")
	defer connected.Close()
	defer other.Close()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	datagram := os.NewFile(uintptr(fd), "datagram")
	defer datagram.Close()
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	listening, _ := boundSocket(t)
	for _, passed := range [][]*os.File{{connected}, {datagram}, {file}, {listening, datagram}} {
		p := start(t, t.TempDir(), arrangement{part: asSystemd, env: []string{"LISTEN_FDS=" + strconv.Itoa(len(passed))}, files: passed})
		if status := p.status(); status != 1 {
			t.Errorf("%s: status %d, want 1", passed[len(passed)-1].Name(), status)
		}
		wantText(t, p.stderr.String(), "passed by systemd", "ListenStream=", "Accept=no")
	}
	for _, stdin := range []*os.File{connected, datagram, file} { // inetd passes a connected one
		p := start(t, t.TempDir(), arrangement{stdin: stdin})
		if status := p.status(); status != 2 {
			t.Errorf("%s on fd 0: status %d, want 2", stdin.Name(), status)
		}
		wantText(t, p.stderr.String(), "a listening socket on fd 0")
	}
}

func TestASocketFileOfAKilledProcessIsReplacedAndALiveOneIsNot(t *testing.T) {
	t.Parallel()
	path := filepath.Join(shortDir(t), "comet.sock")
	listen := arrangement{args: []string{"--listen", "unix:" + path}}

	killed := start(t, t.TempDir(), listen)
	awaitSocket(t, killed, path)
	_ = killed.Process.Kill()
	<-killed.ended
	if !exists(path) {
		t.Fatal("the killed process has removed its socket")
	}
	living := start(t, t.TempDir(), listen)
	awaitSocket(t, living, path)

	second := start(t, t.TempDir(), listen)
	if status := second.status(); status != 1 {
		t.Errorf("status %d, want 1", status)
	}
	wantText(t, second.stderr.String(), path, "another process listens here already")
	wantAnswer(t, ask(t, path, asked("publish=a"), ""), http.StatusOK, "true")
	living.terminate()
	if exists(path) {
		t.Error("the socket file is left over")
	}
}

func TestWhatIsInTheWayOfASocketIsLeftAlone(t *testing.T) {
	t.Parallel()
	directory := shortDir(t)
	file := write(t, filepath.Join(directory, "file"), "precious")
	link := filepath.Join(directory, "link")
	if err := os.Symlink(filepath.Join(directory, "nowhere"), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link, directory} {
		p := start(t, t.TempDir(), arrangement{args: []string{"--listen", "unix:" + path}})
		if status := p.status(); status != 1 {
			t.Errorf("%s: status %d, want 1", path, status)
		}
		wantText(t, p.stderr.String(), path, "in the way")
	}
	if content, err := os.ReadFile(file); err != nil || string(content) != "precious" {
		t.Errorf("%q, %v", content, err)
	}
	p := start(t, t.TempDir(), arrangement{args: []string{"--listen", "unix:" + filepath.Join(directory, "missing", "comet.sock")}})
	if status := p.status(); status != 1 {
		t.Errorf("status %d, want 1", status)
	}
	wantText(t, p.stderr.String(), "install -d -m 775 -g www-data "+filepath.Join(directory, "missing"), "missing/comet.sock", "no such file or directory")
}

func TestTheSocketFileHasItsModeAndGroupWhateverTheUmask(t *testing.T) {
	t.Parallel()
	const group = 12345
	for _, test := range []struct {
		name string
		env  []string
		mode os.FileMode
		gid  uint32
	}{
		{"as shipped", nil, 0o660, uint32(os.Getegid())},
		{"open", []string{"COMET_SOCKET_MODE=0666"}, 0o666, uint32(os.Getegid())},
		{"closed", []string{"COMET_SOCKET_MODE=0600"}, 0o600, uint32(os.Getegid())},
		{"a group by number", []string{"COMET_SOCKET_GROUP=" + strconv.Itoa(group)}, 0o660, group},
		{"a group by name", []string{"COMET_SOCKET_GROUP=daemon"}, 0o660, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.gid != uint32(os.Getegid()) && os.Geteuid() != 0 {
				t.Skip("only root can give a file to any group")
			}
			path := filepath.Join(shortDir(t), "comet.sock")
			p := start(t, t.TempDir(), arrangement{part: asMasked, args: []string{"--listen", "unix:" + path}, env: test.env})
			awaitSocket(t, p, path)
			wantAnswer(t, ask(t, path, asked("publish=a"), ""), http.StatusOK, "true")
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if mode, gid := info.Mode().Perm(), info.Sys().(*syscall.Stat_t).Gid; mode != test.mode || gid != test.gid {
				t.Errorf("mode %o, group %d, want %o, %d", mode, gid, test.mode, test.gid)
			}
		})
	}
	t.Run("a group that there is not", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(shortDir(t), "comet.sock")
		p := start(t, t.TempDir(), arrangement{args: []string{"--listen", "unix:" + path}, env: []string{"COMET_SOCKET_GROUP=nonesuch"}})
		if status := p.status(); status != 1 {
			t.Errorf("status %d, want 1", status)
		}
		wantText(t, p.stderr.String(), "socket.group", "nonesuch")
		if exists(path) {
			t.Error("the socket file is left over")
		}
	})
}

func TestItListensOnTCP(t *testing.T) {
	t.Parallel()
	address := freePort(t)
	p := start(t, t.TempDir(), arrangement{args: []string{"--listen", address}})
	awaitSocket(t, p, address)
	wantAnswer(t, ask(t, address, asked("publish=a"), ""), http.StatusOK, "true")

	second := start(t, t.TempDir(), arrangement{args: []string{"--listen", address}})
	if status := second.status(); status != 1 {
		t.Errorf("status %d, want 1", status)
	}
	wantText(t, second.stderr.String(), "comet-fcgi: listen tcp "+address+": ", "address already in use")
	p.terminate()
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// awaitSocket waits until the program listens there.
func awaitSocket(t testing.TB, p *program, address string) {
	t.Helper()
	network := "tcp"
	if filepath.IsAbs(address) {
		network = "unix"
	}
	eventually(t, "listening on "+address, func() bool {
		select {
		case <-p.ended:
			t.Fatalf("it has ended; it said: %s", p.stderr)
		default:
		}
		conn, err := net.Dial(network, address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}
