package e2e_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"novcomet/examples/internal/launch"
)

// runPHP runs code that uses examples/publish/novcomet.php, and returns its output. The code reads the
// variables by getenv. PHP has no allow_url_fopen, and prints every warning and deprecation.
func runPHP(t *testing.T, code string, variables ...string) string {
	t.Helper()
	return runPHPBy(t, nil, code, variables...)
}

// runPHPBy is runPHP, but lets a command run PHP, such as strace.
func runPHPBy(t *testing.T, command []string, code string, variables ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	code = `declare(strict_types=1); require "../publish/novcomet.php"; ` + code
	args := append(command[:len(command):len(command)], "php",
		"-d", "allow_url_fopen=0", "-d", "error_reporting=-1", "-d", "display_errors=stdout", "-r", code)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), variables...)
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", code, err, output)
	}
	return string(output)
}

// failingPHP runs code that throws an exception, and returns "CODE: MESSAGE".
func failingPHP(t *testing.T, code string, variables ...string) string {
	t.Helper()
	code = `try { ` + code + ` echo "no exception"; } catch (Exception $e) { echo $e->getCode(), ": ", $e->getMessage(); }`
	return runPHP(t, code, variables...)
}

func TestPHP_PublishesByFileAndByURL(t *testing.T) {
	site := launchSite(t, launch.Options{Server: launch.Nginx, Settings: longPolls})
	ids := []string{"php", "ü ?&=#%+\"'"}
	for i, target := range []string{site.Events, site.URL + "/comet.php"} {
		id := ids[i]
		t.Run(target, func(t *testing.T) {
			cursor := "0.0"
			for _, step := range []struct{ argument, data string }{
				{`, ["text" => "ü / <b>", "list" => [1, 2.5, null, true]]`, `{"text":"ü / <b>","list":[1,2.5,null,true]}`},
				{``, `{"text":"ü / <b>","list":[1,2.5,null,true]}`},
				{`, "text\n"`, `"text\n"`},
				{`, null`, `null`},
				{`, str_repeat("x", 65534)`, `"` + strings.Repeat("x", 65534) + `"`},
			} {
				poll := sendQuery(t, site, "subscribed["+url.QueryEscape(id)+"]="+cursor+"&data=1")
				code := `(new NovComet(getenv("TARGET")))->publish(getenv("ID")` + step.argument + `);`
				if output := runPHP(t, code, "TARGET="+target, "ID="+id); output != "" {
					t.Errorf("%s prints %s", code, output)
				}
				a := receive(t, poll)
				var body struct {
					D  map[string]json.RawMessage
					At map[string]string
				}
				if err := json.Unmarshal([]byte(a.body), &body); err != nil || string(body.D[id]) != step.data {
					t.Errorf("publish(ID%s): a page gets %.200s, %v; want the data %.200s", step.argument, a.body, err, step.data)
				}
				cursor = stampOf(t, site, id)
			}
		})
	}
}

// Two publications with the same stamp are one. Since Linux 6.13, the kernel gives each its own.
func TestPHP_EachPublicationHasALaterStamp(t *testing.T) {
	directory := t.TempDir()
	stamps := strings.Fields(runPHP(t, `$comet = new NovComet(getenv("DIRECTORY"));
		for ($i = 0; $i < 20; $i++) {
			$i % 2 ? $comet->publish("quick") : $comet->publish("quick", $i);
			passthru("stat -c %.6Y " . getenv("DIRECTORY") . "/quick.comet");
		}`, "DIRECTORY="+directory))
	for i := range len(stamps) - 1 {
		if stamps[i] >= stamps[i+1] {
			t.Errorf("after the stamp %s comes %s", stamps[i], stamps[i+1])
		}
	}
	if len(stamps) != 20 {
		t.Errorf("%q, want 20 stamps", stamps)
	}
}

// PHP waits with the lock, and comet-fcgi waits for the lock for a second.
func TestPHP_LeavesLockToOthers(t *testing.T) {
	site := launchSite(t, launch.Options{Server: launch.Nginx, Settings: longPolls})
	poll := sendQuery(t, site, "subscribed[quick]=0.0")
	const code = `require "../publish/novcomet.php"; for (;;) (new NovComet(getenv("EVENTS")))->publish("quick");`
	script := exec.CommandContext(t.Context(), "php", "-r", code)
	script.Env = append(os.Environ(), "EVENTS="+site.Events)
	if err := script.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = script.Wait() }) // It is killed before.
	receive(t, poll)
	for range 5 {
		publish(t, site, "other")
	}
}

func TestPHP_ReplacesFileOfEvent(t *testing.T) {
	directory := t.TempDir()
	file, left := filepath.Join(directory, "news.comet"), filepath.Join(directory, ".novcomet-news")
	group := os.Getegid()
	if os.Geteuid() == 0 {
		group = 65534
	}
	for _, name := range []string{file, left} {
		if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(file, -1, group); err != nil {
		t.Fatal(err)
	}
	old, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	runPHP(t, `(new NovComet(getenv("DIRECTORY")))->publish("news", "new");`, "DIRECTORY="+directory)

	var stat unix.Stat_t
	if err := unix.Lstat(file, &stat); err != nil || stat.Mode&0o7777 != 0o600 || int(stat.Gid) != group {
		t.Errorf("%v, mode %o, group %d; want those of the old file, 600 and %d", err, stat.Mode, stat.Gid, group)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != `"new"` {
		t.Errorf("the file has %s, %v", text, err)
	}
	if text, err := io.ReadAll(old); err != nil || string(text) != "old" {
		t.Errorf("a program that has opened the old file reads %q, %v; want it unchanged", text, err)
	}
	if files, err := os.ReadDir(directory); err != nil || len(files) != 1 {
		t.Errorf("the directory has %v, %v; want only the event", files, err)
	}
}

func TestPHP_KeepsFilesThatItCannotPublish(t *testing.T) {
	directory := t.TempDir()
	for _, name := range []string{"full.comet/x", "link.comet"} {
		if err := os.MkdirAll(filepath.Join(directory, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("elsewhere", filepath.Join(directory, "link.comet")); err != nil {
		t.Fatal(err)
	}
	locked, err := os.Open(directory)
	if err != nil {
		t.Fatal(err)
	}
	defer locked.Close()
	for _, step := range []struct{ code, message string }{
		{`$comet->publish("full", 1);`, "full.comet is not a regular file: remove it"},
		{`$comet->publish("link");`, "link.comet is not a regular file: remove it"},
		{`$comet->publish("../x", 1);`, `the id "../x" is not allowed`},
		{`$comet->publish("a\nb");`, `the id "a\nb" is not allowed`},
		{`$comet->publish(str_repeat("é", 101));`, "use 1 to 200 bytes of UTF-8"},
		{`$comet->publish("big", str_repeat("x", 65535));`, "65537 bytes of JSON, at most 65536 are allowed"},
		{`$comet->publish("latin", "\xe9");`, `the data of "latin" cannot be JSON: Malformed UTF-8`},
		{`$d = 1; for ($i = 0; $i < 101; $i++) $d = [$d]; $comet->publish("deep", $d);`, "at most 100 levels"},
		{`(new NovComet("/none"))->publish("x");`, "file.directory in comet.yaml"},
		{`new NovComet("example.com/comet.php");`, "or the URL of comet.php"},
		{`$comet->publish("x", 1);`, "another program has locked " + directory + " for 0.1 s"},
	} {
		if strings.Contains(step.message, "locked") {
			if err := unix.Flock(int(locked.Fd()), unix.LOCK_EX); err != nil {
				t.Fatal(err)
			}
		}
		code := `$comet = new NovComet(getenv("DIRECTORY")); $comet->timeout = 0.1; ` + step.code
		got := failingPHP(t, code, "DIRECTORY="+directory)
		if !strings.HasPrefix(got, "0: ") || !strings.Contains(got, step.message) {
			t.Errorf("%s: %s; want %s", step.code, got, step.message)
		}
	}
	if files, err := os.ReadDir(directory); err != nil || len(files) != 2 {
		t.Errorf("the directory has %v, %v; want only the two that were there", files, err)
	}
}

// strace makes system calls fail.
func TestPHP_RemovesFileThatItCannotRename(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Fatal(err)
	}
	for name, step := range map[string]struct {
		inject []string
		left   string
	}{
		"The directory is empty.":                         {[]string{"rename"}, ""},
		"If that fails, only the user can read the file.": {[]string{"rename", "chmod", "unlink"}, "-rw------- .novcomet-x"},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			command := []string{"strace", "-qq", "-o", os.DevNull}
			for _, call := range step.inject {
				command = append(command, "-e", "inject="+call+":error=EPERM")
			}
			code := `umask(0); try { (new NovComet(getenv("DIRECTORY")))->publish("x", 1); }
				catch (RuntimeException $e) { echo $e->getMessage(); }`
			got := runPHPBy(t, command, code, "DIRECTORY="+directory)
			if !strings.Contains(got, "Operation not permitted") {
				t.Errorf("%s; want Operation not permitted", got)
			}
			var left []string
			files, err := os.ReadDir(directory)
			for _, file := range files {
				info, _ := file.Info()
				left = append(left, info.Mode().String()+" "+info.Name())
			}
			if text := strings.Join(left, ", "); err != nil || text != step.left {
				t.Errorf("the directory has %q, %v; want %q", text, err, step.left)
			}
		})
	}
}

func TestPHP_KeepsUmaskAndErrorHandlerOfProgram(t *testing.T) {
	directory := t.TempDir()
	got := runPHP(t, `umask(0027);
		set_error_handler(function (int $level, string $message) { echo "handler: $message"; return true; });
		(new NovComet(getenv("DIRECTORY")))->publish("new");
		(new NovComet(getenv("DIRECTORY")))->publish("new", 1);
		printf("%o ", umask());
		trigger_error("a warning");`, "DIRECTORY="+directory)
	if got != "27 handler: a warning" {
		t.Errorf("%q; want the umask and the handler of the program", got)
	}
}

func TestPHP_CreatesFileThatGroupCanWrite(t *testing.T) {
	directory := t.TempDir()
	runPHP(t, `umask(0077); (new NovComet(getenv("DIRECTORY")))->publish("new");`, "DIRECTORY="+directory)
	if info, err := os.Stat(filepath.Join(directory, "new.comet")); err != nil || info.Mode() != 0o664 {
		t.Errorf("%v, %v; want the mode 0664", info, err)
	}
}

func TestPHP_SaysWhyServerDidNotPublish(t *testing.T) {
	o := launch.Options{
		Server: launch.Nginx,
		Settings: map[string]string{
			"publish.allow": "'chat-*'", "publish.rate": "2/h", "data.max_bytes": "100", "file.create": "false",
		},
		Extra: `location = /moved { return 301 https://$host/comet.php$is_args$args; }`,
	}
	site := launchSite(t, o)
	o.Settings = nil
	failing := launchSite(t, o)
	shell(t, failing, "chmod 555 .")
	unavailable := launchSite(t, o)
	if err := os.Rename(unavailable.Events, unavailable.Events+"-gone"); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ url, code, message string }{
		{site.URL + "/comet.php", `$comet->publish("news");`,
			`403: "news" is not published: HTTP 403: publishing "news" is not allowed`},
		{site.URL + "/comet.php", `$comet->publish("chat-1", str_repeat("x", 99));`,
			"413: \"chat-1\" is not published: HTTP 413: the request's body takes more than 100 bytes"},
		{site.URL + "/comet.php", `for (;;) try { $comet->publish("chat-1"); }
			catch (Exception $e) { if ($e->getCode() !== 403) throw $e; }`,
			`429: "chat-1" is not published: HTTP 429: too many publications from your address; try again after `},
		{site.URL + "/moved", `$comet->publish("chat-1");`, "301: "},
		{site.URL + "/moved", `$comet->publish("chat-1");`, "; use the URL https://127.0.0.1/comet.php"},
		{site.URL + "/none.php", `$comet->publish("x");`, `404: "x" is not published: HTTP 404: this is no answer`},
		{failing.URL + "/comet.php", `$comet->publish("x");`, `200: "x" is not published: HTTP 200: the log of comet-fcgi`},
		{unavailable.URL + "/comet.php", `$comet->publish("x", 1);`, `503: "x" is not published: HTTP 503: the server can`},
	} {
		got := failingPHP(t, `$comet = new NovComet(getenv("TARGET")); `+step.code, "TARGET="+step.url)
		if !strings.Contains(got, step.message) {
			t.Errorf("%s: %s: %s; want %s", step.url, step.code, got, step.message)
		}
	}
}

func TestPHP_LogsIn(t *testing.T) {
	site := launchSite(t, launch.Options{
		Server: launch.Nginx, Blocks: []string{"Nobody publishes at this URL", "A second URL"}, Users: users,
	})
	target := strings.Replace(site.URL, "//", "//ann:%s@", 1) + "/comet-publish.php"
	const code = `(new NovComet(getenv("TARGET")))->publish("a");`
	runPHP(t, code, "TARGET="+fmt.Sprintf(target, url.PathEscape(users["ann"])))
	if stampOf(t, site, "a") == "" {
		t.Error("the event is not published")
	}
	got := failingPHP(t, code, "TARGET="+fmt.Sprintf(target, "wrong"))
	if !strings.HasPrefix(got, `401: "a" is not published: `) || strings.Contains(got, "wrong") {
		t.Errorf("with a wrong password: %s; want 401 without the password", got)
	}
}

func TestPHP_ChecksCertificate(t *testing.T) {
	site := startSite(t, launch.Nginx)
	backend, err := url.Parse(site.URL)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(backend))
	t.Cleanup(front.Close)
	front.Config.ErrorLog = log.New(io.Discard, "", 0) // It logs the refused handshake.
	certificate := filepath.Join(t.TempDir(), "certificate.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})
	if err := os.WriteFile(certificate, text, 0o600); err != nil {
		t.Fatal(err)
	}
	const code = `(new NovComet(getenv("TARGET")))->publish("secure", 1);`
	target := "TARGET=" + front.URL + "/comet.php"
	if got := failingPHP(t, code, target); !strings.Contains(got, "certificate verify failed") {
		t.Errorf("with an unknown certificate: %s", got)
	}
	if stampOf(t, site, "secure") != "" {
		t.Error("it published to a server with an unknown certificate")
	}
	runPHP(t, code, target, "SSL_CERT_FILE="+certificate)
	if stampOf(t, site, "secure") == "" {
		t.Error("the event is not published")
	}
}

func TestPHP_EndsIfServerDoesNotAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	target := "TARGET=http://ann:secret@" + l.Addr().String() + "/comet.php"
	const code = `$comet = new NovComet(getenv("TARGET")); $comet->timeout = 0.2; $comet->publish("x", 1);`
	got := failingPHP(t, code, target) // The kernel accepts the connection.
	if want := "0: " + l.Addr().String() + " has not answered within 0.2 s"; !strings.HasPrefix(got, want) {
		t.Errorf("%s; want %s", got, want)
	}
	l.Close()
	got = failingPHP(t, code, target)
	if !strings.Contains(got, "Connection refused") || strings.Contains(got, "secret") {
		t.Errorf("%s; want Connection refused, and no password", got)
	}
}

func TestPHP_MakesTokens(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	file := secretFile(t, "# the first line is a comment\r\n\r\n"+secret+"\r\n"+secret+"-old")
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
	file := secretFile(t, "0123456789abcdef0123456789abcdef")
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
