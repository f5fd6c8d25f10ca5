package conf

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"novcomet/core/access"
)

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
