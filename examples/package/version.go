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
	if r.hasRepository() {
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
		return fmt.Errorf("version %q: give one such as 0.2.0, or 0.2.0-rc.1", r.version)
	}
	return nil
}

// hasRepository says whether the sources are a clone. Other repositories above it do not count.
func (r *release) hasRepository() bool {
	_, err := os.Stat(filepath.Join(r.root, ".git"))
	return err == nil
}

// git returns the output of a git command in the clone.
func (r *release) git(args ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"-C", r.root}, args...)...)
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	return strings.TrimSpace(string(output)), errors.Wrapf(err, "git %s", strings.Join(args, " "))
}

// commit returns the version and the time of the commit: the tag, or a development version before next. Its
// number is the time, so that a later commit has a higher one, also in a shallow clone.
func (r *release) commit(next string) (version string, seconds int64, _ error) {
	var values []string
	for _, args := range [][]string{
		{"tag", "--points-at", "HEAD", "--sort=refname", "--list", "v[0-9]*"}, // v0.2.0 before v0.2.0-rc.1
		{"status", "--porcelain", "--untracked-files=normal"},
		{"log", "-1", "--no-show-signature", "--format=%ct"},
		{"rev-parse", "--short=12", "HEAD"},
	} {
		output, err := r.git(args...)
		if err != nil {
			return "", 0, err
		}
		values = append(values, output)
	}
	tags, changes, hash := values[0], values[1], values[3]
	seconds, err := strconv.ParseInt(values[2], 10, 64)
	if err != nil {
		return "", 0, errors.WithStack(err)
	}
	development := fmt.Sprintf("%s-dev.%s+%s", next, time.Unix(seconds, 0).UTC().Format("20060102150405"), hash)
	tag, _, _ := strings.Cut(tags, "\n")
	switch {
	case changes != "":
		return development + ".changed", seconds, nil
	case tag == "":
		return development, seconds, nil
	}
	if released, _, _ := strings.Cut(tag[1:], "-"); released != next {
		return "", 0, fmt.Errorf("the tag is %s, but the first version in CHANGELOG.md is %s", tag, next)
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
		return "", fmt.Errorf("%s has no line such as ## 0.2.0", changelog)
	}
	return string(version[1]), nil
}
