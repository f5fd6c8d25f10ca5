package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"novcomet/core/servertest"
)

// runChecked runs comet-fcgi check in this role, and returns its exit status and what it printed.
func runChecked(t *testing.T, role, directory string, args, env []string) (status int, stdout string) {
	t.Helper()
	p := start(t, directory, startOptions{role: role, args: append([]string{checkCommand}, args...), env: env})
	return p.exitStatus(), p.stdout.String()
}

func TestCheck_ExitStatusIsOneIfThereIsAProblem(t *testing.T) {
	t.Parallel()
	directory := servertest.OpenDirectory(t)
	for _, test := range []struct {
		name   string
		role   string
		args   []string
		env    []string
		status int
		stdout []string
	}{
		{"no problem", roleProgram, nil, nil, 0, []string{"ok       directory      " + directory, "ok       store"}},
		{"all settings", roleProgram, []string{"--verbose"}, nil, 0, []string{"max_serving ", " default\n"}},
		{"JSON", roleProgram, []string{"--json"}, nil, 0,
			[]string{`"verdict": "ok"`, `"from": "environment variable COMET_FILE_DIRECTORY"`}},
		{"no directory", roleProgram, nil, []string{"COMET_FILE_DIRECTORY=/nonexistent"}, 1,
			[]string{"problem  directory", "→ "}},
		{"no web server", roleProgram, []string{"http://127.0.0.1:1/comet.php"}, nil, 1,
			[]string{"problem  URL", "connection refused"}},
		{"nothing listens", roleProgram, []string{"--listen", "127.0.0.1:1"}, nil, 1,
			[]string{"problem  socket", "flag --listen"}},
		{"too few open files", roleFewFiles, nil, []string{"COMET_MAX_WAITING=100"}, 1,
			[]string{"problem  open files", "max_waiting is 100", "LimitNOFILE"}},
		{"no free inotify instance", roleNoInotify, nil, nil, 1,
			[]string{"problem  inotify", "fs.inotify.max_user_instances"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.role == roleNoInotify && os.Geteuid() != 0 {
				t.Skip("only root can become another user")
			}
			status, stdout := runChecked(t, test.role, directory, test.args, test.env)
			if status != test.status {
				t.Errorf("status %d, want %d: %s", status, test.status, stdout)
			}
			wantText(t, stdout, test.stdout...)
			if test.name == "JSON" && !json.Valid([]byte(stdout)) {
				t.Errorf("no JSON: %s", stdout)
			}
		})
	}
}

func TestCheck_JudgesTheCometFcgiThatHasTheSameSettings(t *testing.T) {
	t.Parallel()
	directory := servertest.OpenDirectory(t)
	program := filepath.Join(directory, "comet-fcgi") // The name of the process.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	env := append(isolatedEnv(directory), roleVariable+"="+roleProgram)
	settings := func(name, text string) string {
		file := filepath.Join(directory, name)
		if err := os.WriteFile(file, []byte(text+"\n"), 0o644); err != nil { // Another user reads it, too.
			t.Fatal(err)
		}
		return file
	}
	address := func(name string) string { return "unix:" + filepath.Join(directory, name) }
	// run starts a comet-fcgi, and returns "process N".
	run := func(socket *os.File, command string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), command, args...)
		log := &servertest.Output{}
		cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stderr = directory, env, socket, log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // It was killed.
		})
		servertest.WaitFor(t, "comet-fcgi is ready", func() bool { return strings.Contains(log.String(), "msg=ready") })
		return fmt.Sprint("process ", cmd.Process.Pid)
	}
	inherited, _ := listeningSocket(t)
	inFile := settings("in-file.yaml", "listen: "+address("a"))
	byFlag := settings("by-flag.yaml", "tries: 5")
	passed := settings("passed.yaml", "tries: 5")
	unused := settings("unused.yaml", "listen: "+address("c"))
	processes := map[string]string{
		inFile: run(nil, program, "--config", inFile),
		byFlag: run(nil, program, "--config="+filepath.Base(byFlag), "--listen", address("b")),
		passed: run(inherited, program, "--config", passed),
		unused: "no running comet-fcgi with these settings was found",
	}
	for _, test := range []struct {
		name, file string
		args       []string
		want       []string
	}{
		{"the file names the socket", inFile, nil, []string{"answers on " + directory + "/a\n"}},
		{"a flag names the socket", byFlag, nil, []string{"answers on " + directory + "/b\n"}},
		{"both have the flag", byFlag, []string{"--listen", address("b")},
			[]string{"answers on " + directory + "/b\n"}},
		{"another program passes the socket", passed, nil, []string{"ok       socket         not tested"}},
		{"nothing runs with this file", unused, nil, []string{"of this check", "no such file"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"--config", test.file}, test.args...)
			_, stdout := runChecked(t, roleProgram, directory, args, nil)
			wantText(t, stdout, test.want...)
			for file, process := range processes {
				if found := strings.Contains(stdout, process); found != (file == test.file) {
					t.Errorf("%q is mentioned: %v; want %v:\n%s", process, found, !found, stdout)
				}
			}
		})
	}
	if os.Geteuid() != 0 {
		return // Only root can start a container, and become another user.
	}
	t.Run("in a container", func(t *testing.T) {
		run(nil, "unshare", "--pid", "--fork", "--kill-child", program, "--config", unused)
		_, stdout := runChecked(t, roleProgram, directory, []string{"--config", unused}, nil)
		wantText(t, stdout, processes[unused])
	})
	t.Run("a check by another user is warned", func(t *testing.T) {
		if err := os.Chmod(directory, 0o755); err != nil {
			t.Fatal(err)
		}
		p := start(t, directory, startOptions{args: []string{checkCommand, "--config", inFile}, unprivileged: true})
		p.exitStatus()
		wantText(t, p.stdout.String(), "warning  process        comet-fcgi runs as "+processes[inFile]+" of root",
			"sudo -u root comet-fcgi check", "warning  socket", "may not connect")
	})
}

func TestCheck_NamesTheFilesWhoseDataMayNotBeRead(t *testing.T) {
	t.Parallel()
	directory := servertest.OpenDirectory(t)
	for name, mode := range map[string]os.FileMode{"closed.comet": 0, "open.comet": 0o666, "another-file": 0} {
		path := filepath.Join(directory, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	p := start(t, directory, startOptions{args: []string{checkCommand}, unprivileged: true})
	p.wantExit(0)
	wantText(t, p.stdout.String(), " may not read closed.comet:", "chmod 0644", " may not publish closed.comet by URL")
}

func TestCheck_NoticesAFullFileSystemAndNeedsNoProc(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a file system")
	}
	directory := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, mount string
		status      int
		want        string
	}{
		{"nothing is invented without /proc", "tmpfs /proc", 0, "no running comet-fcgi with these settings was found"},
		{"a file system without room is a problem", "-o size=16k tmpfs " + directory, 1,
			"is full: 16384 bytes are left"},
		{"a file system without inodes is a problem", "-o nr_inodes=1 tmpfs " + directory, 1,
			"is full: no inode is left"},
	} {
		t.Run(test.name, func(t *testing.T) {
			script := "mount -t tmpfs " + test.mount + ` && exec "$0" check`
			cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-c", script, self)
			cmd.Env = append(isolatedEnv(directory), roleVariable+"="+roleProgram)
			output, err := cmd.CombinedOutput()
			if strings.Contains(string(output), "Operation not permitted") {
				t.Skip("this machine does not permit it")
			}
			if status := cmd.ProcessState.ExitCode(); status != test.status {
				t.Errorf("status %d, want %d: %v", status, test.status, err)
			}
			wantText(t, string(output), test.want)
		})
	}
}
