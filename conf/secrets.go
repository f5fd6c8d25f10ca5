package conf

import (
	"errors"
	"fmt"
	"strings"

	"novcomet/core/access"
)

// Limits of files, in bytes.
const (
	maxSecrets  = 64 << 10
	maxPassword = 4096
)

// readSecrets adds the secrets for tokens, if a file has them: one in each line. Empty lines and lines that
// begin with # are skipped.
func (l *Loaded) readSecrets() error {
	path := l.Subscribe.SecretFile
	if path == "" {
		return nil
	}
	text, err := readRegular(path, maxSecrets)
	if err == nil {
		var secrets []string
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				secrets = append(secrets, line)
			}
		}
		l.Subscribe.Signed, err = l.Subscribe.Signed.WithSecrets(secrets)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNotRegular), errors.Is(err, errTooLarge):
		err = errors.New("can't be read: not a regular file of at most 64 KiB")
	case errors.Is(err, access.ErrSigned):
		err = fmt.Errorf("has a line that is not a secret of at least %d characters", access.MinSecret)
	default:
		err = fmt.Errorf("can't be read: %w", err)
	}
	return l.refuse("subscribe.secret_file", fmt.Errorf("%s %w", quote(path), err))
}

// Password reads the password of Redis. It is empty if no file is set.
func (r Redis) Password() (string, error) {
	if r.PasswordFile == "" {
		return "", nil
	}
	text, err := readRegular(r.PasswordFile, maxPassword)
	password := strings.TrimRight(string(text), "\r\n")
	switch {
	case errors.Is(err, errNotRegular), errors.Is(err, errTooLarge):
		return "", fmt.Errorf("redis.password_file: %s is not a regular file of at most %d bytes",
			r.PasswordFile, maxPassword)
	case err != nil:
		return "", fmt.Errorf("redis.password_file: %w", err)
	case password == "":
		return "", fmt.Errorf("redis.password_file: %s contains no password", r.PasswordFile)
	}
	return password, nil
}
