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

// fill puts into the temporary directory what the server needs before it starts: the binaries, comet.yaml and the directory
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
		if err := install(path, binary); err != nil {
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
		// Chmod, for Mkdir masks; 2775 as in examples/systemd.
		if err := os.Chmod(s.Events, 0o775|fs.ModeSetgid); err != nil {
			return errors.Wrap(err, "the mode of the directory of the events")
		}
	}
	if s.credential == nil {
		return nil
	}
	// A checkout in root's home is closed to the server's user, so that the pages go along.
	pages := filepath.Join(s.dir, "pages")
	if err := os.CopyFS(pages, os.DirFS(s.options.Root)); err != nil {
		return errors.Wrap(err, "copying the pages")
	}
	s.options.Root = pages
	return filepath.WalkDir(s.dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return own(path, s.credential)
	})
}

// yaml is the comet.yaml: a shipped one where the server has one, the events' directory and the settings of the options.
func (s *Site) yaml() (string, error) {
	var text strings.Builder
	if v := variants[s.options.Server]; v.yaml != "" {
		if err := s.chooseMachines(); err != nil {
			return "", err
		}
		shipped, err := s.move(v.yaml, []string{redisMachine})
		if err != nil {
			return "", err
		}
		// Nobody publishes by URL with the shipped file, but every test does.
		text.WriteString(strings.ReplaceAll(shipped, "allow: none", `allow: "*"`))
	}
	values := map[string]string{"file.directory": s.Events}
	maps.Copy(values, s.options.Settings)
	groups := map[string][]string{}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		group, name, grouped := strings.Cut(key, ".")
		if !grouped {
			groups[""] = append(groups[""], fmt.Sprintf("%s: %s\n", key, values[key]))
			continue
		}
		groups[group] = append(groups[group], fmt.Sprintf("  %s: %s\n", name, values[key]))
	}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		if group != "" {
			fmt.Fprintf(&text, "%s:\n", group)
		}
		text.WriteString(strings.Join(groups[group], ""))
	}
	return text.String(), nil
}

// htpasswd is a file of users and their passwords, in the oldest form that every server reads.
func htpasswd(users map[string]string) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(users)) {
		sum := sha1.Sum([]byte(users[name]))
		fmt.Fprintf(&text, "%s:{SHA}%s\n", name, base64.StdEncoding.EncodeToString(sum[:]))
	}
	return text.String()
}

// own gives a file to the site's user; nil is this process's own.
func own(path string, owner *credential) error {
	if owner == nil {
		return nil
	}
	return errors.Wrap(os.Lchown(path, int(owner.Uid), int(owner.Gid)), "giving a file to the server's user")
}

// install writes an executable. The lock keeps other goroutines from forking meanwhile: their child would hold
// the file open for writing until its exec, and whoever starts the binary then gets "text file busy".
func install(path string, binary []byte) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return errors.Wrap(os.WriteFile(path, binary, 0o755), "installing a binary")
}
