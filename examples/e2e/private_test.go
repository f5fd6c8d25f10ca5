package e2e_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"novcomet/examples/internal/launch"
)

// users have these passwords. "*" must not be a pattern.
var users = map[string]string{"ann": "secret of Ann", "bob": "secret of Bob", "*": "secret of the star"}

// privateAttempts are requests of users to a site where each may subscribe to news and to user:NAME:… .
// login returns the header of a user. Without a user, a request gets the status anonymous.
func privateAttempts(anonymous int, login func(user string) header) []attempt {
	const annMail, bobMail = "subscribed[user:ann:mail]=0.0", "subscribed[user:bob:mail]=0.0"
	const news = "subscribed[news]=0.0"
	ann := login("ann")
	foreign := append(ann[:2:2], "Sec-Fetch-Site", "cross-site")
	forged := append(ann[:2:2], "Comet-User", "bob", "X-User", "bob", "Remote-User", "bob")
	return []attempt{
		{"a poll without a user", news, "", nil, anonymous, ""},
		{"Ann's own event", annMail + "&" + news, "", ann, 200, `"user:ann:mail":1`},
		{"Bob's event, as Ann", bobMail, "", ann, 403, "user:bob:mail"},
		{"Bob's event and Ann's, as Ann", annMail + "&" + bobMail, "", ann, 403, "user:bob:mail"},
		{"Bob's own event", bobMail, "", login("bob"), 200, `"user:bob:mail":1`},
		{"Bob's event, as a user with the name *", bobMail, "", login("*"), 403, ""},
		{"Ann's own event, from a page of another site", annMail, "", foreign, 403, ""},
		{"publishing", "publish=news", "", ann, 403, ""},
		{"a user's name in other headers", bobMail, "", forged, 403, ""},
	}
}

func TestPrivateEvents_NeedPassword(t *testing.T) {
	o := launch.Options{Blocks: []string{"Private events for users with a password"}, Users: users}
	forEachServer(t, restricted, o, func(t *testing.T, site *launch.Site) {
		shell(t, site, "touch user:ann:mail.comet user:bob:mail.comet news.comet")
		try(t, site, privateAttempts(401, func(user string) header { return basicAuth(user, users[user]) })...)
		try(t, site, attempt{"a wrong password", "subscribed[news]=0.0", "", basicAuth("ann", users["bob"]), 401, ""})
		// The same rules apply to the URL in another spelling, or the server finds nothing there.
		for _, path := range []string{
			"//comet.php", "/./comet.php", "/x/../comet.php", "/%63omet.php", "/comet%2ephp",
			"/comet.php/", "/comet.php/x", "/COMET.php", "/comet.php;x", "/comet.php%00",
		} {
			r := newRequest(t, http.MethodGet, site.URL, "")
			r.URL.Opaque = "//" + r.URL.Host + path + "?subscribed[news]=0.0&wait=0" // sent as it is
			if got := do(t, r); got.status == 200 {
				t.Errorf("without a user at %s: %s", path, got.body)
			}
		}
	})
}

// The web server checks the password only when a stream begins.
func TestPrivateEvents_StreamOfRemovedUserEnds(t *testing.T) {
	o := launch.Options{
		Blocks:   []string{"Private events for users with a password"},
		Replace:  map[string]string{"30s": "2s"},
		Users:    users,
		Settings: map[string]string{"sleep": "0.2"},
	}
	forEachServer(t, restricted, o, func(t *testing.T, site *launch.Site) {
		const query = "subscribed[user:ann:mail]=now"
		ann := basicAuth("ann", users["ann"])
		s := openStream(t, site, query, "", ann...)
		s.next(t, "id: ")
		passwords := filepath.Join(filepath.Dir(site.Events), "comet.htpasswd")
		text, err := os.ReadFile(passwords)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte("ann:"), []byte("removed:"))
		if err := os.WriteFile(passwords, text, 0o644); err != nil {
			t.Fatal(err)
		}
		if !s.endsWithin(patience) {
			t.Error("the stream does not end")
		}
		try(t, site, attempt{"a new stream", query, "", ann, 401, ""})
	})
}

// startApplication starts an application that knows its users by a cookie.
func startApplication(t *testing.T) *httptest.Server {
	t.Helper()
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("session")
		if r.URL.Path != "/whoami" || err != nil || cookie.Value == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		user, _ := url.QueryUnescape(strings.TrimPrefix(cookie.Value, "of-"))
		w.Header().Set("X-User", user)
	}))
	t.Cleanup(application.Close)
	return application
}

func TestPrivateEvents_NeedSessionOfApplication(t *testing.T) {
	t.Parallel()
	site := launchSite(t, launch.Options{
		Server:   launch.Nginx,
		Settings: map[string]string{"tries": "2", "sleep": "0.1"},
		Blocks:   []string{"Private events for users of your application", "The request to your application"},
		Replace:  map[string]string{"http://127.0.0.1:8000": startApplication(t).URL},
	})
	shell(t, site, "touch user:ann:mail.comet user:bob:mail.comet news.comet")
	session := func(user string) header { return header{"Cookie", "session=of-" + url.QueryEscape(user)} }
	try(t, site, privateAttempts(401, session)...)
	try(t, site, []attempt{
		{"a password instead of a session", "subscribed[user:ann:mail]=0.0", "", basicAuth("ann", "x"), 401, ""},
		{"a session without a user", "subscribed[user::mail]=0.0", "", session(""), 403, ""},
		{"the URL of nginx' own request", "/comet-auth", "", nil, 404, ""},
	}...)
}

// nginx passes on the name in an Authorization header even if the location does not ask for a password.
func TestPrivateEvents_IgnoreForgedAuthorizationHeader(t *testing.T) {
	o := launch.Options{Settings: map[string]string{
		"tries": "1", "sleep": "0.1", "subscribe.allow": "'user:<user>:*'", "publish.allow": "'user:<user>:*'",
	}}
	forEachServer(t, launch.Servers(), o, func(t *testing.T, site *launch.Site) {
		forged := basicAuth("ann", "x")
		try(t, site, []attempt{
			{"a poll", "subscribed[user:ann:mail]=now", "", forged, 403, "without a login"},
			{"a publication", "publish=user:ann:mail", "", forged, 403, "without a login"},
		}...)
	})
}

func TestPrivateEvents_NeedToken(t *testing.T) {
	token := func(lifetime time.Duration, pattern string) string {
		expiry := time.Now().Add(lifetime).Unix()
		h := hmac.New(sha256.New, []byte(tokenSecret))
		fmt.Fprintf(h, "%d\n%s", expiry, pattern)
		return fmt.Sprintf("&token=%d.%x.%s", expiry, h.Sum(nil), pattern)
	}
	o := launch.Options{Settings: map[string]string{
		"tries": "1", "sleep": "0.1", "subscribe.signed": "'private-*'", "subscribe.secret_file": secretFile(t, tokenSecret),
	}}
	forEachServer(t, launch.Servers(), o, func(t *testing.T, site *launch.Site) {
		const poll = "subscribed[private-1]=now"
		valid, expired := token(time.Hour, "private-1"), token(-time.Hour, "private-1")
		try(t, site, []attempt{
			{"without a token", poll, "", nil, 403, "needs a token"},
			{"with a token", poll + valid, "", nil, 200, `{"s":0`},
			{"with a token in a form", "", poll + valid, nil, 200, `{"s":0`},
			{"with an expired token", poll + expired, "", nil, 403, "was valid until"},
			{"with a truncated token", poll + valid[:60], "", nil, 403, ""},
			{"with a token for another id", "subscribed[private-2]=now" + valid, "", nil, 403, ""},
		}...)
		log := site.Log()
		if strings.Contains(log, strings.TrimPrefix(valid, "&token=")[:60]) || strings.Contains(log, tokenSecret) {
			t.Errorf("the log has the token or the secret: %s", log)
		}
	})
}

// tokenSecret is the secret of the tests that make tokens.
const tokenSecret = "0123456789abcdef0123456789abcdef"

// secretFile returns a file with a secret that every user can read.
func secretFile(t *testing.T, secret string) string {
	t.Helper()
	f, err := os.CreateTemp("", "novcomet-secret-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(f.Name()) })
	_, err = f.WriteString(secret + "\n")
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}
