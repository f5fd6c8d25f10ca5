package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// A version in the form of Semantic Versioning. Debian and RPM give "-" within a version another meaning.
var versionForm = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?(\+[0-9A-Za-z.]+)?$`)

// identify finds the version and the time of the release. A source archive has no repository. Then the
// version is a development version, and git archive has given the commit's time to each file.
func (r *release) identify() error {
	changelog := filepath.Join(r.root, ".github", "CHANGELOG.md")
	next, err := nextVersion(changelog)
	if err != nil {
		return err
	}
	info, err := os.Stat(changelog)
	if err != nil {
		return errors.WithStack(err)
	}
	version, seconds := next+"-dev", info.ModTime().Unix()
	if _, err := os.Stat(filepath.Join(r.root, ".git")); err == nil {
		if version, seconds, err = r.commit(next); err != nil {
			return err
		}
	}
	if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" { // https://reproducible-builds.org/specs/source-date-epoch
		if seconds, err = strconv.ParseInt(epoch, 10, 64); err != nil {
			return errors.Wrap(err, "SOURCE_DATE_EPOCH")
		}
	}
	r.time = time.Unix(seconds, 0).UTC()
	if r.version == "" {
		r.version = version
	}
	if !versionForm.MatchString(r.version) {
		return errors.Errorf("version %q: give one such as 0.2.0, or 0.2.0-rc.1", r.version)
	}
	return nil
}

// commit returns the version and the time of the commit: the tag, or a development version before next.
func (r *release) commit(next string) (version string, seconds int64, _ error) {
	var values []string
	for _, args := range [][]string{
		{"tag", "--points-at", "HEAD", "--list", "v[0-9]*"},
		{"status", "--porcelain", "--untracked-files=no"},
		{"log", "-1", "--format=%ct"},
		{"rev-list", "--count", "HEAD"},
		{"rev-parse", "--short=12", "HEAD"},
	} {
		output, err := exec.Command("git", append([]string{"-C", r.root}, args...)...).Output()
		if err != nil {
			return "", 0, errors.Wrapf(err, "git %s", args[0])
		}
		values = append(values, strings.TrimSpace(string(output)))
	}
	tag, changes, count, hash := values[0], values[1], values[3], values[4]
	seconds, err := strconv.ParseInt(values[2], 10, 64)
	switch {
	case err != nil:
		return "", 0, errors.WithStack(err)
	case changes != "":
		return fmt.Sprintf("%s-dev.%s+%s.changed", next, count, hash), seconds, nil
	case tag == "":
		return fmt.Sprintf("%s-dev.%s+%s", next, count, hash), seconds, nil
	}
	if released, _, _ := strings.Cut(tag[1:], "-"); released != next {
		return "", 0, errors.Errorf("the tag is %s, but the first version in CHANGELOG.md is %s", tag, next)
	}
	return tag[1:], seconds, nil
}

// nextVersion returns the first version in the changelog.
func nextVersion(changelog string) (string, error) {
	text, err := os.ReadFile(changelog)
	if err != nil {
		return "", errors.WithStack(err)
	}
	version := regexp.MustCompile(`(?m)^## ([0-9]+\.[0-9]+\.[0-9]+)\b`).FindSubmatch(text)
	if version == nil {
		return "", errors.Errorf("%s has no line such as ## 0.2.0", changelog)
	}
	return string(version[1]), nil
}
