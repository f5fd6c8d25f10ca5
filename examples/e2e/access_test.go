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

	"novcomet/conf/conftest"
	"novcomet/examples/internal/launch"
)

// attempt is a request, and how it ought to be answered.
type attempt struct {
	name   string
	path   string // default: /comet.php
	query  string
	form   string // by POST
	header []string
	status int
	says   string
}

func try(t *testing.T, site *launch.Site, attempts ...attempt) {
	t.Helper()
	for _, a := range attempts {
		method := http.MethodGet
		if a.form != "" {
			method = http.MethodPost
		}
		if a.path == "" {
			a.path = "/comet.php"
		}
		r := request(t, method, site.URL+a.path+"?"+a.query, a.form)
		for i := 0; i < len(a.header); i += 2 {
			r.Header.Set(a.header[i], a.header[i+1])
		}
		got := within(t, patience, asking(r))
		if got.status != a.status || !strings.Contains(got.body, a.says) {
			t.Errorf("%s: HTTP %d %s; want %d %s", a.name, got.status, got.body, a.status, a.says)
		}
	}
}

// as is the header of a visitor who logs in.
func as(user, password string) []string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return []string{"Authorization", r.Header.Get("Authorization")}
}

// restricted are the servers whose shipped file has blocks for who may do what; Caddy's has only some of them.
var restricted = []launch.Server{launch.ApacheCGI, launch.ApacheProxy, launch.ApacheFcgid, launch.Nginx, launch.LighttpdCGI, launch.Lighttpd}

// underEach starts each server with blocks of its shipped file put into force.
func underEach(t *testing.T, servers []launch.Server, o launch.Options, test func(*testing.T, *launch.Site)) {
	t.Helper()
	for _, server := range servers {
		t.Run(string(server), func(t *testing.T) {
			t.Parallel()
			o := o
			o.Server = server
			if o.Settings == nil {
				o.Settings = map[string]string{"tries": "2", "sleep": "0.1"}
			}
			test(t, launchSite(t, o))
		})
	}
}

func TestAsShippedEverybodyMayButOtherSitesPages(t *testing.T) {
	underEach(t, launch.Servers(), launch.Options{}, func(t *testing.T, site *launch.Site) {
		try(t, site,
			attempt{name: "curl", query: "publish=a", status: 200, says: "true"},
			attempt{name: "a form", form: "publish=a", status: 200, says: "true"},
			attempt{name: "a forged user", query: "publish=a", header: as("root", "x"), status: 200, says: "true"},
			attempt{name: "<img> of another site", query: "publish=a", header: []string{"Sec-Fetch-Site", "cross-site"}, status: 403, says: "another site"},
			attempt{name: "<img> of another site over http", query: "publish=a", header: []string{"Referer", "http://evil.example/"}, status: 403, says: "another site"},
			attempt{name: "form of another site", form: "publish=a", header: []string{"Origin", "http://evil.example"}, status: 403, says: "another site"},
			attempt{name: "form of its own page", form: "publish=a", header: []string{"Origin", site.URL}, status: 200, says: "true"},
			attempt{name: "a header for a proxy", query: "publish=a", header: []string{"Proxy", "http://evil.example"}, status: 200, says: "true"},
			attempt{name: "arguments for a CGI program", query: "--version+-h+%2Fetc%2Fpasswd", status: 200, says: `{"s":0}`},
			attempt{name: "traversal", query: "publish=..%2f..%2fetc%2fpasswd", status: 400},
		)
	})
}

func TestShippedBlockPublishOnlyByPOST(t *testing.T) {
	servers := append([]launch.Server{launch.Caddy}, restricted...)
	underEach(t, servers, launch.Options{Blocks: []string{"Publish only by POST"}}, func(t *testing.T, site *launch.Site) {
		try(t, site,
			attempt{name: "by GET", query: "publish=a", status: 405, says: "GET"},
			attempt{name: "by GET, in code", query: "%70ublish=a", status: 405},
			attempt{name: "by POST", form: "publish=a", status: 200, says: "true"},
			attempt{name: "by POST, with the id in the query", query: "publish=a", form: "x=1", status: 200, says: "true"},
			attempt{name: "a poll by GET", query: "subscribed[a]=0.0", status: 200, says: `{"s":1`},
		)
	})
}

// All requests here come from this machine, so that one from elsewhere is made of the address that the block names.
func TestShippedBlockPublishOnlyFromThisMachine(t *testing.T) {
	blocks := []string{"Publish only from this machine"}
	here := attempt{name: "from here", query: "publish=a", status: 200, says: "true"}
	elsewhere := attempt{name: "from elsewhere", query: "publish=a", status: 403, says: "not allowed"}
	poll := attempt{name: "a poll", query: "subscribed[b]=now", status: 200, says: `{"s":0`}
	underEach(t, restricted, launch.Options{Blocks: blocks}, func(t *testing.T, site *launch.Site) { try(t, site, here, poll) })
	for server, words := range map[launch.Server]string{
		launch.Nginx: `127\.0\.0\.1`, launch.ApacheCGI: "127.0.0.0/8", launch.ApacheProxy: "127.0.0.0/8", launch.ApacheFcgid: "127.0.0.0/8",
		launch.LighttpdCGI: "127.0.0.0/8", launch.Lighttpd: "127.0.0.0/8",
	} {
		another := map[string]string{words: strings.NewReplacer("127", "192").Replace(words)}
		underEach(t, []launch.Server{server}, launch.Options{Blocks: blocks, Replace: another}, func(t *testing.T, site *launch.Site) { try(t, site, elsewhere, poll) })
	}
}

var users = map[string]string{"ann": "secret of Ann", "bob": "secret of Bob", "*": "secret of the star"}

func TestShippedBlockPublishForLoggedInUsers(t *testing.T) {
	servers := []launch.Server{launch.Nginx, launch.ApacheCGI, launch.ApacheProxy, launch.ApacheFcgid}
	blocks := []string{"Nobody publishes at this URL", "A second URL"}
	underEach(t, servers, launch.Options{Blocks: blocks, Users: users}, func(t *testing.T, site *launch.Site) {
		const second = "/comet-publish.php"
		try(t, site,
			attempt{name: "at the first URL", query: "publish=a", status: 403},
			attempt{name: "at the first URL, logged in", query: "publish=a", header: as("ann", users["ann"]), status: 403},
			attempt{name: "at the second URL, as nobody", path: second, query: "publish=a", status: 401},
			attempt{name: "at the second URL, with a wrong password", path: second, query: "publish=a", header: as("ann", "x"), status: 401},
			attempt{name: "at the second URL, logged in", path: second, query: "publish=a", header: as("ann", users["ann"]), status: 200, says: "true"},
			attempt{name: "at the second URL, sent by another site's page", path: second, query: "publish=a",
				header: append(as("ann", users["ann"]), "Sec-Fetch-Site", "cross-site"), status: 403},
			attempt{name: "a poll at the second URL", path: second, query: "subscribed[a]=now", header: as("ann", users["ann"]), status: 403},
			attempt{name: "a poll at the first URL", query: "subscribed[a]=0.0", status: 200, says: `{"s":1`},
		)
	})
}

func TestShippedBlockPrivateEventsWithAPassword(t *testing.T) {
	blocks := []string{"Private events for users with a password"}
	underEach(t, restricted, launch.Options{Blocks: blocks, Users: users}, func(t *testing.T, site *launch.Site) {
		shell(t, site, "touch user:ann:mail.comet user:bob:mail.comet news.comet")
		try(t, site, privateEvents(401, func(user string) []string { return as(user, users[user]) })...)
		try(t, site, attempt{name: "with a wrong password", query: "subscribed[news]=0.0", header: as("ann", users["bob"]), status: 401})
		// The URL written in other ways leads to the same rules, or nowhere.
		for _, path := range []string{"//comet.php", "/./comet.php", "/x/../comet.php", "/%63omet.php", "/comet%2ephp", "/comet.php/", "/comet.php/x", "/COMET.php", "/comet.php;x", "/comet.php%00"} {
			r := request(t, http.MethodGet, site.URL, "")
			r.URL.Opaque = "//" + r.URL.Host + path + "?subscribed[news]=0.0&wait=0" // as it is written
			if got := within(t, patience, asking(r)); got.status == 200 {
				t.Errorf("nobody at %s: %s", path, got.body)
			}
		}
	})
}

// The web server checks the password when the stream opens, and not again.
func TestShippedBlockEndsTheStreamOfARemovedUser(t *testing.T) {
	underEach(t, restricted, launch.Options{
		Blocks:   []string{"Private events for users with a password"},
		Replace:  map[string]string{"30s": "2s"},
		Users:    users,
		Settings: map[string]string{"sleep": "0.2"},
	}, func(t *testing.T, site *launch.Site) {
		const query = "subscribed[user:ann:mail]=now"
		s := openStream(t, site, query, "", as("ann", users["ann"])...)
		s.next(t, "id: ")
		bob, err := os.ReadFile(passwordFile(site))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(passwordFile(site), bytes.ReplaceAll(bob, []byte("ann:"), []byte("gone:")), 0o644); err != nil {
			t.Fatal(err)
		}
		if !s.ended(patience) {
			t.Error("the stream goes on")
		}
		try(t, site, attempt{name: "a new stream", query: query, header: as("ann", users["ann"]), status: 401})
	})
}

func passwordFile(site *launch.Site) string {
	return filepath.Join(filepath.Dir(site.Events), "comet.htpasswd")
}

// privateEvents is what each may hear of; nobody is what a visitor gets who is nobody.
func privateEvents(nobody int, as func(user string) []string) []attempt {
	return []attempt{
		{name: "nobody's poll", query: "subscribed[news]=0.0", status: nobody},
		{name: "Ann's own", query: "subscribed[user:ann:mail]=0.0&subscribed[news]=0.0", header: as("ann"), status: 200, says: `"user:ann:mail":1`},
		{name: "Bob's, for Ann", query: "subscribed[user:bob:mail]=0.0", header: as("ann"), status: 403, says: "user:bob:mail"},
		{name: "Bob's among Ann's own", query: "subscribed[user:ann:mail]=0.0&subscribed[user:bob:mail]=0.0", header: as("ann"), status: 403, says: "user:bob:mail"},
		{name: "Bob's own", query: "subscribed[user:bob:mail]=0.0", header: as("bob"), status: 200, says: `"user:bob:mail":1`},
		{name: "Bob's, for a user who is called *", query: "subscribed[user:bob:mail]=0.0", header: as("*"), status: 403},
		{name: "Ann's own, sent by another site's page", query: "subscribed[user:ann:mail]=0.0", header: append(as("ann"), "Sec-Fetch-Site", "cross-site"), status: 403},
		{name: "publishing", query: "publish=news", header: as("ann"), status: 403},
		{name: "a name in a header", query: "subscribed[user:bob:mail]=0.0", header: append(as("ann"), "Comet-User", "bob", "X-User", "bob", "Remote-User", "bob"), status: 403},
	}
}

// An application that knows its users by a cookie.
func application(t *testing.T) *httptest.Server {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("session")
		if r.URL.Path != "/whoami" || err != nil || cookie.Value == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		user, _ := url.QueryUnescape(strings.TrimPrefix(cookie.Value, "of-"))
		w.Header().Set("X-User", user)
	}))
	t.Cleanup(app.Close)
	return app
}

func TestShippedBlockPrivateEventsOfAnApplicationsUsers(t *testing.T) {
	t.Parallel()
	app := application(t)
	site := launchSite(t, launch.Options{
		Server:   launch.Nginx,
		Settings: map[string]string{"tries": "2", "sleep": "0.1"},
		Blocks:   []string{"Private events for users of your application", "The request to your application"},
		Replace:  map[string]string{"http://127.0.0.1:8000": app.URL},
	})
	shell(t, site, "touch user:ann:mail.comet user:bob:mail.comet news.comet")
	try(t, site, privateEvents(401, func(user string) []string { return []string{"Cookie", "session=of-" + url.QueryEscape(user)} })...)
	try(t, site,
		attempt{name: "a password that nobody asked for", query: "subscribed[user:ann:mail]=0.0", header: as("ann", "x"), status: 401},
		attempt{name: "a session of nobody", query: "subscribed[user::mail]=0.0", header: []string{"Cookie", "session=of-"}, status: 403},
		attempt{name: "what the application is asked, from outside", path: "/comet-auth", status: 404},
	)
}

// Where the location asks for no password, a name that comes with one is nobody's: nginx passes it on all the same.
func TestAForgedAuthorizationHeaderIsNobody(t *testing.T) {
	settings := map[string]string{"tries": "1", "sleep": "0.1", "subscribe.allow": "'user:<user>:*'", "publish.allow": "'user:<user>:*'"}
	underEach(t, launch.Servers(), launch.Options{Settings: settings}, func(t *testing.T, site *launch.Site) {
		try(t, site,
			attempt{name: "a poll", query: "subscribed[user:ann:mail]=now", header: as("ann", "x"), status: 403, says: "without a user"},
			attempt{name: "a publication", query: "publish=user:ann:mail", header: as("ann", "x"), status: 403, says: "without a user"},
		)
	})
}

// secretFile makes a file of a secret that the site's user can read.
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

func TestATokenOpensAPrivateEventUnderEveryServer(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	settings := map[string]string{"tries": "1", "sleep": "0.1", "subscribe.signed": "'private-*'", "subscribe.secret_file": secretFile(t, secret)}
	token := func(expiry time.Time, pattern string) string {
		h := hmac.New(sha256.New, []byte(secret))
		fmt.Fprintf(h, "%d\n%s", expiry.Unix(), pattern)
		return fmt.Sprintf("&token=%d.%x.%s", expiry.Unix(), h.Sum(nil), pattern)
	}
	underEach(t, launch.Servers(), launch.Options{Settings: settings}, func(t *testing.T, site *launch.Site) {
		good := token(time.Now().Add(time.Hour), "private-1")
		try(t, site,
			attempt{name: "without", query: "subscribed[private-1]=now", status: 403, says: "needs a token"},
			attempt{name: "with one", query: "subscribed[private-1]=now" + good, status: 200, says: `{"s":0`},
			attempt{name: "with one in a form", form: "subscribed[private-1]=now" + good, status: 200, says: `{"s":0`},
			attempt{name: "expired", query: "subscribed[private-1]=now" + token(time.Now().Add(-time.Hour), "private-1"), status: 403, says: "was valid until"},
			attempt{name: "truncated", query: "subscribed[private-1]=now" + good[:60], status: 403},
			attempt{name: "for another id", query: "subscribed[private-2]=now" + good, status: 403},
		)
		if log := site.Log(); strings.Contains(log, strings.TrimPrefix(good, "&token=")[:60]) || strings.Contains(log, secret) {
			t.Errorf("logged: %s", log)
		}
	})
}

func TestTooManyPublicationsAreRefusedThroughEveryServerThatCanCount(t *testing.T) {
	settings := map[string]string{"publish.rate": "3/h"}
	servers := []launch.Server{launch.Nginx, launch.ApacheProxy, launch.Lighttpd, launch.Caddy}
	underEach(t, servers, launch.Options{Settings: settings}, func(t *testing.T, site *launch.Site) {
		fine := attempt{name: "one of three", query: "publish=a", status: 200, says: "true"}
		try(t, site, fine, fine, fine, attempt{name: "the fourth", query: "publish=a", status: 429, says: "too many"})
	})
}

// Each example file and unit names the settings file, so that nobody can publish when it is gone.
func TestADamagedSettingsFileOpensNothingUnderEveryServer(t *testing.T) {
	for _, server := range launch.Servers() {
		t.Run(string(server), func(t *testing.T) {
			t.Parallel()
			site := launchSite(t, launch.Options{Server: server, Settings: map[string]string{"tries": "1", "sleep": "0.1", "publish.allow": "none"}})
			whole, err := os.ReadFile(site.File())
			if err != nil {
				t.Fatal(err)
			}
			try(t, site, attempt{name: "before", query: "publish=a", status: 403, says: "not allowed"})
			for _, damage := range conftest.Damages() {
				if damage.UnseenAtStart {
					continue
				}
				if err := errors.Join(damage.Do(site.File()), site.Kill()); err != nil {
					t.Fatal(err)
				}
				if server.HasDaemon() && site.StartDaemon(t.Context()) == nil {
					t.Errorf("%s: comet-fcgi starts", damage.Name)
				}
				r := within(t, patience, asking(request(t, http.MethodGet, site.URL+"/comet.php?publish=a", "")))
				if r.status < 500 {
					t.Errorf("%s: HTTP %d %s; want an error of the server", damage.Name, r.status, r.body)
				}
				if err := errors.Join(os.RemoveAll(site.File()), os.WriteFile(site.File(), whole, 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			if events, err := os.ReadDir(site.Events); len(events) > 0 || err != nil {
				t.Errorf("published: %v, %v", events, err)
			}
		})
	}
}
