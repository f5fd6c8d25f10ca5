package e2e_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"novcomet/examples/internal/launch"
)

func TestPHP_MakesTokens(t *testing.T) {
	file := secretFile(t, "# the first line is a comment\r\n\r\n"+tokenSecret+"\r\n"+tokenSecret+"-old")
	site := launchSite(t, launch.Options{Server: launch.Nginx, Settings: map[string]string{
		"subscribe.signed": "'private-*'", "subscribe.secret_file": file,
	}})
	for _, user := range []string{"7", "*", "a?[b\\", "ü <user>"} {
		token := runPHP(t, `echo NovComet::token(getenv("FILE"), "private-<user>-*", getenv("OF"));`,
			"FILE="+file, "OF="+user)
		own := "private-" + user + "-mail"
		for id, status := range map[string]int{own: 200, "private-8-mail": 403, "private-8": 403} {
			query := "subscribed[" + url.QueryEscape(id) + "]=now&wait=0&token=" + url.QueryEscape(token)
			try(t, site, attempt{user + ": " + id, query, "", nil, status, ""})
		}
	}
}

func TestREADME_CodeInPHPMakesTokens(t *testing.T) {
	_, after, _ := strings.Cut(example(t, "..", "conf", "README.md"), "\n```php\n")
	line, _, _ := strings.Cut(after, "\n")
	const named = "/etc/novcomet/secrets"
	if !strings.Contains(line, named) {
		t.Fatalf("the README has no code in PHP with %s: %s", named, line)
	}
	file := secretFile(t, tokenSecret)
	token := runPHP(t, `$user = "7"; `+strings.Replace(line, named, file, 1)+` echo $token;`)
	if _, pattern, _ := strings.Cut(token, "."); !strings.HasSuffix(pattern, ".private-7-*") {
		t.Errorf("the token is %s, want one for private-7-*", token)
	}
}

func TestPHP_SaysWhyThereIsNoToken(t *testing.T) {
	const secret = "a secret that no message contains"
	for _, step := range []struct{ secret, arguments, message string }{
		{secret, `"private-<user>-*"`, "needs a user"},
		{secret, `"private-[<user>]", "a-z"`, "must not contain brackets or backslashes"},
		{secret, `"private-\\<user>", "*"`, "must not contain brackets or backslashes"},
		{secret, `"private-<user>-*", "a/b"`, `no id can match the pattern "private-a/b-*"`},
		{secret[:31], `"private"`, "is missing or has fewer than 32 characters"},
		{"# " + secret, `"private"`, "is missing or has fewer than 32 characters"},
	} {
		got := failingPHP(t, `NovComet::token(getenv("FILE"), `+step.arguments+`);`, "FILE="+secretFile(t, step.secret))
		if !strings.Contains(got, step.message) || strings.Contains(got, secret[:31]) {
			t.Errorf("token(%s): %s; want %s, without the secret", step.arguments, got, step.message)
		}
	}
	if got := failingPHP(t, `NovComet::token("/none", "private");`); !strings.Contains(got, "subscribe.secret_file") {
		t.Errorf("without the file: %s", got)
	}
}

// The page has a recorder instead of the client. The policy permits only scripts with the nonce.
func TestPHP_RendersScriptOfPage(t *testing.T) {
	const hostile = `/'"<!--</script><script>&amp;` + "\u2028\\"
	root := t.TempDir()
	for name, text := range map[string]string{
		"record.js": `NovComet = { init(...given) { window.given = given; } }`,
		"token.txt": "a token",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	steps := []struct{ options, script, want string }{
		{``, `given[1]`, ``},
		{`, "token" => getenv("HOSTILE")`, `given[1].token`, hostile},
		{`, "renew" => "/token.txt?<&'\""`, `given[1].token()`, "a token"},
		{`, "renew" => "/none.txt"`, `given[1].token().catch((error) => error.message)`, "no token: HTTP 404"},
	}
	for i, step := range steps {
		code := `echo '<!DOCTYPE html><link rel="icon" href="data:,"><meta http-equiv="Content-Security-Policy" ',
			'content="script-src \'nonce-YWJj\'">', NovComet::script(getenv("HOSTILE"),
			["src" => "/record.js?<\"'>", "nonce" => "YWJj"` + step.options + `]);`
		html := runPHP(t, code, "HOSTILE="+hostile)
		if err := os.WriteFile(filepath.Join(root, fmt.Sprintf("%d.html", i)), []byte(html), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	site := launchSite(t, launch.Options{Server: launch.Nginx, Root: root})
	browser := startBrowser(t)
	for i, step := range steps {
		w := openWindow(t, browser, fmt.Sprintf("%s/%d.html", site.URL, i))
		if endpoint := evaluate[string](t, w, `given[0]`); endpoint != hostile {
			t.Errorf("init gets the URL %q, want %q", endpoint, hostile)
		}
		got := evaluate[string](t, w, `Promise.resolve(`+step.script+`).then((value) => value ?? "")`)
		if got != step.want {
			t.Errorf("%s is %q, want %q", step.script, got, step.want)
		}
	}
}

func TestPHP_RefusesUnknownOptionsOfScript(t *testing.T) {
	for _, options := range []string{`["tokn" => "x"]`, `["token" => "x", "renew" => "/x"]`} {
		got := failingPHP(t, `NovComet::script("/comet.php", `+options+`);`)
		if !strings.Contains(got, "the options are") {
			t.Errorf("%s: %s", options, got)
		}
	}
}
