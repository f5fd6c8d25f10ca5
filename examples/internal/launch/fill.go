package launch

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/pkg/errors"
)

// fill writes what the server needs before it starts: the binaries, comet.yaml, the pages and the directory
// of the events. The site's user owns all of it.
func (s *Site) fill(p programs) error {
	s.source = p.source
	yaml, err := s.yaml()
	if err != nil {
		return err
	}
	if s.log, err = newLog(s.options.Log, s.credential); err != nil {
		return err
	}
	for place, binary := range map[string][]byte{"cgi-bin/comet.cgi": p.cgi, "bin/comet-fcgi": p.fcgi} {
		path := filepath.Join(s.dir, place)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return errors.Wrap(err, "making a directory for a binary")
		}
		if err := writeProgram(path, binary); err != nil {
			return err
		}
	}
	if err := s.write(canonical[settings], yaml); err != nil {
		return err
	}
	if len(s.options.Users) > 0 {
		if err := s.write(passwords, htpasswd(s.options.Users)); err != nil {
			return err
		}
	}
	if s.options.Directory == "" {
		if err := os.Mkdir(s.Events, 0o755); err != nil {
			return errors.Wrap(err, "making the directory of the events")
		}
		// 2775, as in examples/systemd. The umask would change the mode that Mkdir gets.
		if err := os.Chmod(s.Events, 0o775|fs.ModeSetgid); err != nil {
			return errors.Wrap(err, "changing the mode of the directory of the events")
		}
	}
	if err := s.copyPages(); err != nil {
		return err
	}
	if s.credential == nil {
		return nil
	}
	return filepath.WalkDir(s.dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return changeOwner(path, s.credential)
	})
}

// copyPages copies the pages: the server's user cannot read a clone in root's home, and the front page names
// the directory of the events.
func (s *Site) copyPages() error {
	pages := filepath.Join(s.dir, "pages")
	if err := os.CopyFS(pages, os.DirFS(s.options.Root)); err != nil {
		return errors.Wrap(err, "copying the pages")
	}
	s.options.Root = pages
	front := filepath.Join(pages, "index.html")
	text, err := os.ReadFile(front)
	if os.IsNotExist(err) {
		return nil
	}
	if err == nil {
		err = os.WriteFile(front, []byte(WithDirectory(string(text), s.Events)), 0o644)
	}
	return errors.Wrap(err, "writing the directory of the events into the front page")
}

// yaml returns the text of comet.yaml: the example file of the server, if there is one, the directory of the
// events, and Options.Settings.
func (s *Site) yaml() (string, error) {
	var text strings.Builder
	if v := variants[s.options.Server]; v.yaml != "" {
		if err := s.chooseMachines(); err != nil {
			return "", err
		}
		example, err := s.relocatedExample(v.yaml, []string{redisMachine})
		if err != nil {
			return "", err
		}
		// The example file lets nobody publish by URL, but every test does.
		text.WriteString(strings.ReplaceAll(example, "allow: none", `allow: "*"`))
	}
	values := map[string]string{"file.directory": "'" + strings.ReplaceAll(s.Events, "'", "''") + "'"}
	if !s.options.Server.HasDaemon() {
		values["cgi.max_waiting"] = "0" // The sites of all tests would share the limit of comet.cgi.
	}
	maps.Copy(values, s.options.Settings)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&text, "%s: %s\n", key, values[key])
	}
	return text.String(), nil
}

// htpasswd returns the text of a password file. Every server reads this form.
func htpasswd(users map[string]string) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(users)) {
		sum := sha1.Sum([]byte(users[name]))
		fmt.Fprintf(&text, "%s:{SHA}%s\n", name, base64.StdEncoding.EncodeToString(sum[:]))
	}
	return text.String()
}

// changeOwner gives a file to the owner. If owner is nil, the file stays with the user of this process.
func changeOwner(path string, owner *credential) error {
	if owner == nil {
		return nil
	}
	return errors.Wrap(os.Lchown(path, int(owner.Uid), int(owner.Gid)), "giving a file to the server's user")
}

// writeProgram writes an executable file. The lock prevents a fork meanwhile: the child process would keep
// the file open for writing until its exec, and starting the program would fail with ETXTBSY.
func writeProgram(path string, binary []byte) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return errors.Wrap(os.WriteFile(path, binary, 0o755), "writing a program")
}
