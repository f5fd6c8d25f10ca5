package e2e_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"novcomet/examples/internal/launch"
)

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
