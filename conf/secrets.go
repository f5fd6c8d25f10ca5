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

// readSecrets returns Signed with the secrets of SecretFile: one in each line. Empty lines and lines that
// begin with # are skipped.
func (s Subscribe) readSecrets() (access.Signed, error) {
	if s.SecretFile == "" {
		return s.Signed.WithSecrets(nil)
	}
	text, err := readRegular(s.SecretFile, maxSecrets)
	switch {
	case errors.Is(err, errNotRegular), errors.Is(err, errTooLarge):
		return access.Signed{}, errors.New("can't be read: not a regular file of at most 64 KiB")
	case err != nil:
		return access.Signed{}, fmt.Errorf("can't be read: %w", err)
	}
	var secrets []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			secrets = append(secrets, line)
		}
	}
	signed, err := s.Signed.WithSecrets(secrets)
	if err != nil {
		return access.Signed{}, fmt.Errorf("has a line that is not a secret of at least %d characters", access.MinSecret)
	}
	return signed, nil
}

// Password reads the password of Redis. It is empty if no file is set.
func (r Redis) Password() (string, error) {
	if r.PasswordFile == "" {
		return "", nil
	}
	text, err := readRegular(r.PasswordFile, maxPassword)
	switch {
	case errors.Is(err, errNotRegular), errors.Is(err, errTooLarge):
		return "", fmt.Errorf("redis.password_file: %s is not a regular file of at most %d bytes",
			r.PasswordFile, maxPassword)
	case err != nil:
		return "", fmt.Errorf("redis.password_file: %w", err)
	}
	password := strings.TrimRight(string(text), "\r\n")
	if password == "" {
		return "", fmt.Errorf("redis.password_file: %s contains no password", r.PasswordFile)
	}
	return password, nil
}
