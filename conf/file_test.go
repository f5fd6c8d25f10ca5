package conf

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"novcomet/core/access"
)

func TestFindFile_FlagBeatsVariable(t *testing.T) {
	five, six := write(t, "tries: 5"), write(t, "tries: 6")
	environ := []string{"COMET_CONFIG=" + five}
	if c := load(t, Source{Environ: environ}); c.Tries != 5 {
		t.Errorf("COMET_CONFIG: tries %d", c.Tries)
	}
	if c := load(t, Source{File: six, Environ: environ}); c.Tries != 6 {
		t.Errorf("--config: tries %d", c.Tries)
	}
}

func TestFindFile_NamedFileMustBeReadable(t *testing.T) {
	dir := t.TempDir()
	missing, large := filepath.Join(dir, "missing.yaml"), write(t, "# "+strings.Repeat("x", 1<<20))
	dangling, fifo := filepath.Join(dir, "dangling.yaml"), filepath.Join(dir, "fifo.yaml")
	if err := errors.Join(os.Symlink(missing, dangling), syscall.Mkfifo(fifo, 0o600)); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		fifo:             "is not a regular file",
		missing:          "no such file or directory",
		dangling:         "a symbolic link leads nowhere",
		dir:              "is not a regular file",
		large:            "larger than 1 MiB",
		"/dev/null/what": "not a directory",
	} {
		_, err := Load(Source{File: path})
		wantError(t, err, "--config: ", path, says)
		_, err = Load(Source{Environ: []string{"COMET_CONFIG=" + path}})
		wantError(t, err, "COMET_CONFIG: ", path, says)
	}
}

// Only this path means it: another empty file may be a comet.yaml that was emptied.
func TestFindFile_DevNullMeansNoFile(t *testing.T) {
	link := filepath.Join(t.TempDir(), "comet.yaml")
	if err := os.Symlink(os.DevNull, link); err != nil {
		t.Fatal(err)
	}
	for _, from := range []Source{{File: os.DevNull}, {File: "/dev/../dev/null"},
		{Environ: []string{"COMET_CONFIG=/dev/null"}}} {
		l, err := Read(from)
		if err != nil || l.File() != "" {
			t.Errorf("%+v: file %q, %v", from, l.File(), err)
		}
	}
	_, err := Load(Source{File: link})
	wantError(t, err, link+": is not a regular file")
}

// A file is searched beside the path by which the program is called, then beside the program itself.
func TestFindFile_BesideTheProgram(t *testing.T) {
	self, err := os.ReadFile(must(os.Executable()))
	if err != nil {
		t.Fatal(err)
	}
	directory := func(tries string) string {
		dir := t.TempDir()
		if tries == "" {
			return dir
		}
		if err := os.WriteFile(filepath.Join(dir, "comet.yaml"), []byte("tries: "+tries), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	elsewhere := directory("99")
	program, another := filepath.Join(directory("5"), "comet.cgi"), filepath.Join(elsewhere, "comet.cgi")
	link, linkWithFile := filepath.Join(directory(""), "comet.cgi"), filepath.Join(directory("6"), "comet.cgi")
	if err := errors.Join(os.WriteFile(program, self, 0o700), os.WriteFile(another, self, 0o700),
		os.Symlink(program, link), os.Symlink(program, linkWithFile)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path, argv0, dir string
		environ                []string
		want                   string
	}{
		{"called by its path", program, program, elsewhere, nil, "5"},
		{"called by a link without a file", link, link, elsewhere, nil, "5"},
		{"called by a link with a file", linkWithFile, linkWithFile, elsewhere, nil, "6"},
		{"called by a relative path", linkWithFile, "./comet.cgi", filepath.Dir(linkWithFile), nil, "6"},
		{"called by a bare name", linkWithFile, "comet.cgi", elsewhere, nil, "5"},
		{"the path of another program is not trusted", program, another, elsewhere, nil, "5"},
		{"an empty argv[0]", program, "", elsewhere, nil, "5"},
		{"COMET_CONFIG beats it", linkWithFile, linkWithFile, elsewhere,
			[]string{"COMET_CONFIG=" + elsewhere + "/comet.yaml"}, "99"},
		{"a variable beats it", linkWithFile, linkWithFile, elsewhere, []string{"COMET_TRIES=7"}, "7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command(c.path)
			cmd.Args = []string{c.argv0, "-query", "--config=/nowhere"}
			cmd.Dir, cmd.Env = c.dir, append(c.environ, asProgram+"=1")
			if tries, err := cmd.CombinedOutput(); err != nil || string(tries) != c.want {
				t.Errorf("tries %s, %v; want %s", tries, err, c.want)
			}
		})
	}
}

// A file that is there but cannot be read may restrict who publishes, so the search does not go on.
func TestSearchFile_StopsAtAFileThatCannotBeRead(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"a link that leads nowhere": func(path string) error { return os.Symlink("missing", path) },
		"a directory":               func(path string) error { return os.Mkdir(path, 0o700) },
		"a large file":              func(path string) error { return os.WriteFile(path, make([]byte, 2<<20), 0o600) },
		"its directory is a link that leads nowhere": func(path string) error {
			return os.Symlink("missing", filepath.Dir(path))
		},
		"its directory is a file": func(path string) error { return os.WriteFile(filepath.Dir(path), nil, 0o600) },
	} {
		path := filepath.Join(t.TempDir(), "comet.yaml")
		if strings.HasPrefix(name, "its directory") {
			path = filepath.Join(filepath.Dir(path), "novcomet", "comet.yaml")
		}
		if err := spoil(path); err != nil {
			t.Fatal(err)
		}
		_, err := searchFile([]string{path, write(t, "tries: 7")})
		wantError(t, err, "comet.yaml: ")
	}
	missing, next := filepath.Join(t.TempDir(), "novcomet", "comet.yaml"), write(t, "tries: 7")
	if f, err := searchFile([]string{missing, next}); f.path != next || string(f.text) != "tries: 7" || err != nil {
		t.Errorf("where there is nothing: %s %q, %v", f.path, f.text, err)
	}
	if f, err := searchFile([]string{missing}); f.path != "" || err != nil {
		t.Errorf("without any file: %s, %v", f.path, err)
	}
}

func TestLoad_NoMessageShowsASecret(t *testing.T) {
	const secret = "a-secret-that-is-too-short"
	for _, from := range []Source{
		{File: write(t, "subscribe: {secret: ["+secret+"]}")},
		{File: os.DevNull, Environ: []string{"COMET_SUBSCRIBE_SECRET=" + secret + ", x"}},
		{File: os.DevNull, Environ: []string{"COMET_SUBSCRIBE_SECRET_FILE=" + write(t, secret)}},
	} {
		_, err := Load(from)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%v; want an error without the secret", err)
		}
	}
	_, err := defaults(t).Locate(variables("COMET_SUBSCRIBE_SECRET", secret))
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("of a location: %v; want an error without the secret", err)
	}
}

func TestLoad_ReadsTheSecretsOfTheFile(t *testing.T) {
	const a, b = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
	for file, secrets := range map[string][]string{
		"":                         nil,
		testdata + "secrets":       {a, b},
		write(t, "# none yet\n\n"): nil,
		write(t, "\t "+a+" \r\n"):  {a},
		write(t, a+"\n#\n"+b):      {a, b},
	} {
		want := must(access.NewSigned([]string{"private-*"}, secrets))
		set := variables("COMET_SUBSCRIBE_SIGNED", "private-*", "COMET_SUBSCRIBE_SECRET_FILE", file)
		c, err := defaults(t).Locate(set)
		if err != nil || !reflect.DeepEqual(c.Subscribe.Signed, want) {
			t.Errorf("%s: %v, %v", file, c.Subscribe.Signed, err)
		}
	}
}

// A location uses the secrets that were read with the settings. A change of the file takes effect at a
// reload.
func TestLoad_LocationHasTheSecretsOfTheSettings(t *testing.T) {
	l, err := Read(Source{File: write(t, "subscribe.secret_file: "+testdata+"secrets")})
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Locate(variables("COMET_SUBSCRIBE_SIGNED", "private-*"))
	if err != nil || c.Subscribe.Signed.LacksSecrets() {
		t.Errorf("%v; lacks secrets: %v", err, c.Subscribe.Signed.LacksSecrets())
	}
	l.Config.Subscribe.SecretFile = "/nonexistent"
	changed, err := l.Locate(variables("COMET_SUBSCRIBE_SIGNED", "private-*", "COMET_TRIES", "5"))
	if err != nil || !reflect.DeepEqual(changed.Subscribe.Signed, c.Subscribe.Signed) {
		t.Errorf("after a change of the file: %v, secrets changed: %v", err, changed.Subscribe.Signed)
	}
}

func TestConfig_NoFormatPrintsASecret(t *testing.T) {
	c := load(t, Source{File: write(t, "{subscribe.signed: a, subscribe.secret_file: "+testdata+"secrets}")})
	secret, _, _ := strings.Cut(string(readText(t, testdata+"secrets"))[len("# in force\n"):], "\n")
	for _, format := range []string{"%v", "%+v", "%#v", "%x", "%d"} {
		text := fmt.Sprintf(format, c)
		for _, shown := range []string{secret, fmt.Sprintf("%x", secret), strings.Trim(fmt.Sprint([]byte(secret)), "[]")} {
			if strings.Contains(text, shown) {
				t.Errorf("%s prints %s", format, text)
			}
		}
	}
}

// Without the secrets, events that need a token would be closed to everybody. Some devices never end.
func TestLoad_RefusesAFileWithoutSecrets(t *testing.T) {
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, []byte(strings.Repeat("#\n", 40_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{
		"/nonexistent":                        "no such file",
		"/dev/zero":                           "not a regular file of at most 64 KiB",
		testdata:                              "not a regular file of at most 64 KiB",
		large:                                 "not a regular file of at most 64 KiB",
		testdata + "../go":                    "no such file",
		write(t, "a\n"):                       "has a line that is not a secret of at least 32 characters",
		write(t, strings.Repeat("a\x00", 32)): "has a line that is not a secret of at least 32 characters",
	} {
		refuses(t, "subscribe.secret_file: "+name, "subscribe.secret_file: "+strconv.Quote(name)+" ", says,
			"give the absolute path of a file")
		_, err := defaults(t).Locate(variables("COMET_SUBSCRIBE_SECRET_FILE", name))
		wantError(t, err, "variable COMET_SUBSCRIBE_SECRET_FILE", says)
	}
}

func TestRedis_PasswordIsReadFromARegularFile(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"":                       "",
		write(t, " s3cr3t \r\n"): " s3cr3t ",
		write(t, "s3cr3t"):       "s3cr3t",
	} {
		if got, err := (Redis{PasswordFile: file}).Password(); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", file, got, err, want)
		}
	}
	for file, says := range map[string]string{
		"/nonexistent":                      "no such file",
		"/dev/zero":                         "not a regular file of at most 4096 bytes",
		fifo:                                "not a regular file of at most 4096 bytes",
		write(t, strings.Repeat("x", 5000)): "not a regular file of at most 4096 bytes",
		write(t, "\n"):                      "contains no password",
	} {
		_, err := Redis{PasswordFile: file}.Password()
		wantError(t, err, "redis.password_file: ", file, says)
	}
}
