package e2e_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"novcomet/examples/internal/launch"
)

// Bodies without a Content-Length are chunked in HTTP/1.1; in HTTP/2 they just end.
func TestBody_WithoutContentLengthIsReadUnderEveryServer(t *testing.T) {
	const apacheHTTP2 = "LoadModule http2_module /usr/lib/apache2/modules/mod_http2.so\nProtocols h2c http/1.1"
	const post, form, tooMuch, nothing = "a POST publishes it", "a form is a poll", "too much is refused", "an empty POST keeps the data"
	posts := []string{post, form, tooMuch, nothing}
	for _, test := range []struct {
		server launch.Server
		http2  bool
		extra  string
		itself []string // to what lighttpd itself answers 411 Length Required
	}{
		{server: launch.ApacheCGI}, {server: launch.ApachePrefork}, {server: launch.ApacheProxy}, {server: launch.ApacheFcgid},
		{server: launch.Nginx}, {server: launch.LighttpdCGI}, {server: launch.Lighttpd}, {server: launch.Caddy},
		{server: launch.ApacheCGI, http2: true, extra: apacheHTTP2}, {server: launch.ApacheProxy, http2: true, extra: apacheHTTP2},
		{server: launch.LighttpdCGI, http2: true, itself: posts}, {server: launch.Lighttpd, http2: true, itself: posts},
		{server: launch.LighttpdCGI, extra: "server.stream-request-body = 2", itself: []string{tooMuch}},
	} {
		client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, Protocols: new(http.Protocols)}}
		client.Transport.(*http.Transport).Protocols.SetHTTP1(!test.http2)
		client.Transport.(*http.Transport).Protocols.SetUnencryptedHTTP2(test.http2)
		name := string(test.server)
		if test.http2 {
			name += ", HTTP 2"
		} else if test.extra != "" {
			name += ", " + test.extra
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := launchSite(t, launch.Options{Server: test.server, Settings: map[string]string{"tries": "20", "sleep": "0.1"}, Extra: test.extra})
			carries := ""
			for _, request := range []struct {
				name, method, query, body string
				status                    int
				answer, carries           string
			}{
				{"a PUT publishes it", http.MethodPut, "publish=a", "put", 200, "true", "put"},
				{post, http.MethodPost, "publish=a", "posted", 200, "true", "posted"},
				{form, http.MethodPost, "", "subscribed[never]=0.0&wait=0", 200, `{"s":0,"at":{"never":"0.000000"}}`, "posted"},
				{tooMuch, http.MethodPost, "publish=a", strings.Repeat("x", 200_000), 413, `{"error":"`, "posted"},
				{nothing, http.MethodPost, "publish=a", "", 200, "true", "posted"},
			} {
				if slices.Contains(test.itself, request.name) {
					request.status, request.answer = http.StatusLengthRequired, "<"
				} else {
					carries = request.carries
				}
				r, err := http.NewRequestWithContext(t.Context(), request.method, site.URL+"/comet.php?"+request.query, io.NopCloser(strings.NewReader(request.body)))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				answer, err := client.Do(r)
				if err != nil {
					t.Errorf("%s: %v", request.name, err)
					continue
				}
				body, err := io.ReadAll(answer.Body)
				answer.Body.Close()
				if err != nil || answer.StatusCode != request.status || !strings.HasPrefix(string(body), request.answer) || test.http2 != (answer.ProtoMajor == 2) {
					t.Errorf("%s: %s %d %s, %v; want %d %s", request.name, answer.Proto, answer.StatusCode, body, err, request.status, request.answer)
				}
				if content, err := os.ReadFile(eventFile(site, "a")); err != nil || string(content) != carries {
					t.Errorf("%s: the event carries %.20q, %v; want %q", request.name, content, err, carries)
				}
			}
			client.CloseIdleConnections()
		})
	}
}

// The shipped files let as much pass as data.max_bytes can be, and say nothing of what is more: NovComet does.
func TestBody_OfDataMaxBytesGetsThroughEveryServer(t *testing.T) {
	const most = 16 << 20
	for _, server := range launch.Servers() {
		t.Run(string(server), func(t *testing.T) {
			t.Parallel()
			site := launchSite(t, launch.Options{Server: server, Settings: map[string]string{"data.max_bytes": fmt.Sprint(most), "max_request": fmt.Sprint(most)}})
			wantBody(t, within(t, patience, asking(request(t, http.MethodPost, site.URL+"/comet.php?publish=a", strings.Repeat("x", most)))), "true")
			if info, err := os.Stat(eventFile(site, "a")); err != nil || info.Size() != most {
				t.Errorf("the event carries %v, %v; want %d bytes", info, err, most)
			}
		})
	}
}

// With server.stream-request-body, lighttpd passes a body on as it arrives. When the client leaves, it closes the program's input and then ends the
// program with a signal. Whether the program sees the short body before is a matter of chance, so many clients leave.
func TestBody_CutOffByAClientThatLeavesPublishesNothing(t *testing.T) {
	const clients = 50
	for name, leave := range map[string]func(*net.TCPConn) error{
		"it resets its connection": func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) },
		"it sends no more":         func(c *net.TCPConn) error { return c.CloseWrite() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := launchSite(t, launch.Options{Server: launch.LighttpdCGI, Extra: "server.stream-request-body = 2"})
			cgiRuns := func() bool { return running(t, site, "comet.cgi") }
			for i := range clients {
				connection, err := net.Dial("tcp", strings.TrimPrefix(site.URL, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				defer connection.Close()
				query, body := fmt.Sprintf("?publish=data-%d", i), "a part of the data"
				if i%2 == 1 {
					query, body = "", fmt.Sprintf("publish=form-%d", i)
				}
				fmt.Fprintf(connection, "POST /comet.php%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n%s",
					query, body)
				await(t, "comet.cgi starts", cgiRuns)
				if err := leave(connection.(*net.TCPConn)); err != nil {
					t.Fatal(err)
				}
			}
			await(t, "comet.cgi ends", func() bool { return !cgiRuns() })
			wantBody(t, within(t, patience, polling(t, site, "publish=last")), "true")
			files, err := os.ReadDir(site.Events)
			if err != nil || len(files) != 1 || files[0].Name() != "last.comet" {
				t.Errorf("%d events were published (%v, %v); want the last alone", len(files), files, err)
			}
		})
	}
}

// running reports whether a process of this program of the site runs.
func running(t *testing.T, site *launch.Site, program string) bool {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(links, func(link string) bool {
		path, err := os.Readlink(link) // It fails when the process has ended.
		return err == nil && strings.HasPrefix(path, filepath.Dir(site.Events)+"/") && filepath.Base(path) == program
	})
}

// await looks again and again until the condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(patience); !holds(); <-again.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}
