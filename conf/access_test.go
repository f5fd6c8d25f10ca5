package conf_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"novcomet/conf"
)

// wrongElements are patterns that no list of them may have, as YAML writes them between double quotes.
var wrongElements = []string{"[a", "a[]", `a\\`, "[<user>]", `\\<user>`, "a/b", `a\nb`, `b\0`}

// wrongLists are wrong elements of each list.
var wrongLists = []struct {
	key, allowed string
	elements     []string
}{
	{"subscribe.allow", "give patterns of ids", wrongElements},
	{"subscribe.signed", "give patterns of ids", append([]string{"user:<user>:*"}, wrongElements...)},
	{"subscribe.secret", "give secrets of at least 32 characters", []string{"short", strings.Repeat("x", 31), secretA + `\0`}},
	{"publish.allow", "give patterns of ids", wrongElements},
	{"publish.methods", "give GET, POST", []string{"get", "PUT", "HEAD", "OPTIONS", "GET POST", "*"}},
	{"origins", "give sites such as", []string{"example.com", "https://", "https://example.com/", "https://example.com/a", "https://a@example.com",
		"https://example.com?", "https://*.example.com", "https://exämple.com", "null", "//example.com", "https://a b", "https://example.com:port"}},
}

func TestAWrongElementIsRefusedFromEverySource(t *testing.T) {
	good := map[string]string{"publish.methods": "GET", "subscribe.secret": secretB, "origins": "https://example.com"}
	for _, w := range wrongLists {
		right := good[w.key]
		if right == "" {
			right = "news"
		}
		for _, element := range w.elements {
			text, err := strconv.Unquote(`"` + strings.ReplaceAll(element, `\0`, `\x00`) + `"`)
			if err != nil {
				t.Fatal(err)
			}
			path := write(t, w.key+`: ["`+right+`", "`+element+`"]`)
			_, err = conf.Load(conf.Source{File: path})
			mustSay(t, err, path+": "+w.key+": ", " is not allowed: ", w.allowed)
			for _, list := range []string{text, right + "," + text, text + " , " + right} {
				_, err = conf.Load(conf.Source{File: os.DevNull, Environ: []string{variable(w.key) + "=" + list}})
				mustSay(t, err, "environment variable "+variable(w.key)+": "+w.key+": ", " is not allowed: ", w.allowed)
				_, err = defaults(t).Locate(variables(variable(w.key), list))
				mustSay(t, err, "variable "+variable(w.key)+": "+w.key+": ", " is not allowed: ", w.allowed)
			}
		}
		for _, list := range []string{",", right + ",", "," + right, right + ",," + right} {
			_, err := defaults(t).Locate(variables(variable(w.key), list))
			mustSay(t, err, variable(w.key), "without empty elements")
		}
	}
}

func TestNoMessageShowsASecret(t *testing.T) {
	const secret = "a-secret-that-is-too-short"
	path := write(t, "subscribe: {secret: ["+secret+"]}")
	for _, from := range []conf.Source{
		{File: path},
		{File: os.DevNull, Environ: []string{"COMET_SUBSCRIBE_SECRET=" + secret + ", x"}},
		{File: os.DevNull, Environ: []string{"COMET_SUBSCRIBE_SECRET=" + secret + ",,"}},
		{File: os.DevNull, Environ: []string{"COMET_SUBSCRIBE_SECRET_FILE=" + write(t, secret)}},
	} {
		_, err := conf.Load(from)
		mustSay(t, err, "subscribe.secret")
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%v", err)
		}
	}
}

func TestTheSecretsOfTheFileCountBesideTheOthers(t *testing.T) {
	for _, l := range []struct {
		file, list, want string
	}{
		{"", "none", ""},
		{"", secretA, secretA},
		{here + "secrets", "none", secretA + "|" + secretB},
		{here + "secrets", secretB, secretB + "|" + secretA + "|" + secretB},
		{write(t, "# none so far\n\n"), "none", ""},
		{write(t, "\t "+secretA+" \r\n"), "none", secretA},
	} {
		c, err := defaults(t).Locate(variables("COMET_SUBSCRIBE_SECRET_FILE", l.file, "COMET_SUBSCRIBE_SECRET", l.list))
		if err != nil {
			t.Fatal(err)
		}
		secrets, err := c.Subscribe.Secrets()
		if err != nil || joined(secrets) != l.want {
			t.Errorf("%+v: %q, %v", l, secrets, err)
		}
	}
}

// Anything but a small file of secrets stops the start: what needs a token would else be closed to everybody, or a device be
// read to no end.
func TestAFileThatHasNoSecretsIsRefused(t *testing.T) {
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, []byte(strings.Repeat("#\n", 40_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{
		"/nonexistent":  "no such file",
		"/dev/zero":     "not a file of at most 64 KiB",
		here:            "not a file of at most 64 KiB",
		large:           "not a file of at most 64 KiB",
		here + "../go":  "no such file",
		write(t, "a\n"): "has a line that is no secret of at least 32 characters",
	} {
		path := write(t, "subscribe.secret_file: "+name)
		_, err := conf.Load(conf.Source{File: path})
		mustSay(t, err, path+": subscribe.secret_file: "+strconv.Quote(name)+" ", says, "give the absolute path of a file")
		_, err = defaults(t).Locate(variables("COMET_SUBSCRIBE_SECRET_FILE", name))
		mustSay(t, err, "variable COMET_SUBSCRIBE_SECRET_FILE", says)
	}
}

// Where the environment is the daemon's own, it would make every visitor that user.
func TestWhoIsAuthenticatedIsNotConfiguration(t *testing.T) {
	_, err := conf.Load(conf.Source{File: os.DevNull, Environ: []string{"COMET_USER=ann"}})
	mustSay(t, err, "COMET_USER", "only a web server can say")
	if _, err := defaults(t).Locate(variables("COMET_USER", "ann")); err != nil {
		t.Error(err)
	}
}
