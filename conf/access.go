package conf

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// Subscribe says who may subscribe to what.
type Subscribe struct {
	Allow []string `mapstructure:"allow"` // globs of ids
	// Signed are globs of the ids that need a token. SecretFile has the secrets that tokens are made with.
	Signed     []string `mapstructure:"signed"`
	SecretFile string   `mapstructure:"secret_file"` // absolute, or empty
}

// Publish says who may publish what, and how.
type Publish struct {
	Allow   []string `mapstructure:"allow"`   // globs of ids
	Methods []string `mapstructure:"methods"` // of GET and POST
	Rate    string   `mapstructure:"rate"`    // for each client address: 10/s, 100/m, 1000/h, or none
}

// NoRate is the Rate that is no limit.
const NoRate = "none"

const (
	patterns   = `patterns of ids, separated by commas, such as news, chat-*, user:<user>:*; "*" for all; or none`
	minSecret  = 32       // characters
	maxSecrets = 64 << 10 // bytes, of the file
)

// Secrets reads SecretFile: one secret in each line. Empty lines and lines that begin with # are skipped.
func (s Subscribe) Secrets() ([]string, error) {
	if s.SecretFile == "" {
		return nil, nil
	}
	text, err := readSmall(s.SecretFile)
	if err != nil {
		return nil, errors.Wrap(err, "can't be read")
	}
	var secrets []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if !isSecret(line) {
			return nil, errors.Errorf("has a line that is not a secret of at least %d characters", minSecret)
		}
		secrets = append(secrets, line)
	}
	return secrets, nil
}

// readSmall reads a regular file: anything else might never end.
func readSmall(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxSecrets {
		return nil, errors.New("not a regular file of at most 64 KiB")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecrets))
	return text, errors.WithStack(err)
}

func isSecret(s string) bool {
	return len(s) >= minSecret && !strings.ContainsFunc(s, unicode.IsControl)
}

// isPattern is core.ParsePatterns for one pattern. The two packages do not import each other; a test checks that they agree.
func isPattern(glob string) bool {
	for part := range strings.SplitSeq(glob, "<user>") {
		if _, err := path.Match(part, ""); err != nil {
			return false
		}
	}
	return !strings.Contains(glob, "/") && utf8.ValidString(glob) && !strings.ContainsFunc(glob, unicode.IsControl)
}

// isSigned reports whether a pattern can say which ids need a token. That can't depend on the user.
func isSigned(glob string) bool { return isPattern(glob) && !strings.Contains(glob, "<user>") }

// isMethod reports whether a method can publish. HEAD and OPTIONS are answered, too, but never publish.
func isMethod(method string) bool { return method == http.MethodGet || method == http.MethodPost }

// isOrigin is core.ParseOrigins for one origin.
func isOrigin(site string) bool {
	if site == "*" {
		return true
	}
	u, err := url.Parse(site)
	return err == nil && u.Scheme != "" && u.Hostname() != "" && *u == url.URL{Scheme: u.Scheme, Host: u.Host} &&
		!strings.ContainsFunc(site, func(r rune) bool { return r > unicode.MaxASCII || r == '*' })
}

var rates = regexp.MustCompile(`^([1-9][0-9]{0,3}|10000)/[smh]$`)

func isRate(rate string) bool { return rate == NoRate || rates.MatchString(rate) }
