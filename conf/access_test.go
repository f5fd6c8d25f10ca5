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
	{"publish.allow", "give patterns of ids", wrongElements},
	{"publish.methods", "give GET, POST", []string{"get", "PUT", "HEAD", "OPTIONS", "GET POST", "*"}},
	{"origins", "give sites such as", []string{"example.com", "https://", "https://example.com/", "https://example.com/a", "https://a@example.com",
		"https://example.com?", "https://*.example.com", "https://exämple.com", "null", "//example.com", "https://a b", "https://example.com:port"}},
}

func TestAWrongElementIsRefusedFromEverySource(t *testing.T) {
	good := map[string]string{"publish.methods": "GET", "origins": "https://example.com"}
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
			mustSay(t, err, variable(w.key), "is not a list: it has an empty element")
		}
	}
}

func TestNoMessageShowsASecret(t *testing.T) {
	const secret = "a-secret-that-is-too-short"
	for _, from := range []conf.Source{
		{File: write(t, "subscribe: {secret: ["+secret+"]}")},
		{File: os.DevNull, Environ: []string{"COMET_SUBSCRIBE_SECRET=" + secret + ", x"}},
		{File: os.DevNull, Environ: []string{"COMET_SUBSCRIBE_SECRET_FILE=" + write(t, secret)}},
	} {
		_, err := conf.Load(from)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%v; want an error without the secret", err)
		}
	}
	_, err := defaults(t).Locate(variables("COMET_SUBSCRIBE_SECRET", secret))
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("of a location: %v; want an error without the secret", err)
	}
}

func TestSubscribe_SecretsAreTheLinesOfTheFile(t *testing.T) {
	for file, want := range map[string]string{
		"":                                "",
		here + "secrets":                  secretA + "|" + secretB,
		write(t, "# none so far\n\n"):     "",
		write(t, "\t "+secretA+" \r\n"):   secretA,
		write(t, secretA+"\n#\n"+secretB): secretA + "|" + secretB,
	} {
		c, err := defaults(t).Locate(variables("COMET_SUBSCRIBE_SECRET_FILE", file))
		if err != nil {
			t.Fatal(err)
		}
		secrets, err := c.Subscribe.Secrets()
		if err != nil || joined(secrets) != want {
			t.Errorf("%s: %q, %v; want %q", file, secrets, err, want)
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
		"/dev/zero":     "not a regular file of at most 64 KiB",
		here:            "not a regular file of at most 64 KiB",
		large:           "not a regular file of at most 64 KiB",
		here + "../go":  "no such file",
		write(t, "a\n"): "has a line that is not a secret of at least 32 characters",
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
	mustSay(t, err, "COMET_USER", "only a web server can set it")
	if _, err := defaults(t).Locate(variables("COMET_USER", "ann")); err != nil {
		t.Error(err)
	}
}
