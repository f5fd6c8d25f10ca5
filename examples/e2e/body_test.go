package e2e_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"novcomet/examples/internal/launch"
)

// A body without Content-Length is chunked in HTTP/1.1. In HTTP/2 it just ends.
func TestBody_NeedsNoContentLength(t *testing.T) {
	const apacheHTTP2 = "LoadModule http2_module /usr/lib/apache2/modules/mod_http2.so\nProtocols h2c http/1.1"
	const (
		post    = "a POST publishes it"
		form    = "a form is a poll"
		tooMuch = "too much is refused"
		nothing = "an empty POST keeps the data"
	)
	posts := []string{post, form, tooMuch, nothing}
	for _, test := range []struct {
		server  launch.Server
		http2   bool
		extra   string
		refused []string // the requests that lighttpd itself refuses with 411 Length Required
	}{
		{server: launch.ApacheCGI}, {server: launch.ApachePrefork}, {server: launch.ApacheProxy},
		{server: launch.ApacheFcgid}, {server: launch.Nginx}, {server: launch.LighttpdCGI},
		{server: launch.Lighttpd}, {server: launch.Caddy},
		{server: launch.ApacheCGI, http2: true, extra: apacheHTTP2},
		{server: launch.ApacheProxy, http2: true, extra: apacheHTTP2},
		{server: launch.LighttpdCGI, http2: true, refused: posts},
		{server: launch.Lighttpd, http2: true, refused: posts},
	} {
		name := string(test.server)
		if test.http2 {
			name += ", HTTP 2"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transport := &http.Transport{DisableKeepAlives: true, Protocols: new(http.Protocols)}
			transport.Protocols.SetHTTP1(!test.http2)
			transport.Protocols.SetUnencryptedHTTP2(test.http2)
			client := &http.Client{Timeout: patience, Transport: transport}
			site := launchSite(t, launch.Options{Server: test.server, Settings: shortPolls, Extra: test.extra})
			data := "" // of the event so far
			for _, request := range []struct {
				name, method, query, body string
				status                    int
				answer, data              string
			}{
				{"a PUT publishes it", http.MethodPut, "publish=a", "put", 200, "true", "put"},
				{post, http.MethodPost, "publish=a", "posted", 200, "true", "posted"},
				{
					form, http.MethodPost, "", "subscribed[never]=0.0&wait=0",
					200, `{"s":0,"at":{"never":"0.000000"}}`, "posted",
				},
				{tooMuch, http.MethodPost, "publish=a", strings.Repeat("x", 200_000), 413, `{"error":"`, "posted"},
				{nothing, http.MethodPost, "publish=a", "", 200, "true", "posted"},
			} {
				if slices.Contains(test.refused, request.name) {
					request.status, request.answer = http.StatusLengthRequired, "<"
				} else {
					data = request.data
				}
				body := io.NopCloser(strings.NewReader(request.body)) // hides the length
				url := site.URL + "/comet.php?" + request.query
				r, err := http.NewRequestWithContext(t.Context(), request.method, url, body)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				response, err := client.Do(r)
				if err != nil {
					t.Errorf("%s: %v", request.name, err)
					continue
				}
				answer, err := io.ReadAll(response.Body)
				response.Body.Close()
				if err != nil || response.StatusCode != request.status ||
					!strings.HasPrefix(string(answer), request.answer) || test.http2 != (response.ProtoMajor == 2) {
					t.Errorf("%s: %s %d %s, %v; want %d %s", request.name,
						response.Proto, response.StatusCode, answer, err, request.status, request.answer)
				}
				if got, err := os.ReadFile(eventFile(site, "a")); err != nil || string(got) != data {
					t.Errorf("%s: the event has the data %.20q, %v; want %q", request.name, got, err, data)
				}
			}
			client.CloseIdleConnections()
		})
	}
}

// The example files let bodies of the highest data.max_bytes pass, so that NovComet alone limits them.
func TestBody_OfHighestMaxBytesPasses(t *testing.T) {
	const most = 16 << 20
	o := launch.Options{
		Settings: map[string]string{"data.max_bytes": fmt.Sprint(most), "max_request": fmt.Sprint(most)},
	}
	forEachServer(t, launch.Servers(), o, func(t *testing.T, site *launch.Site) {
		url := site.URL + "/comet.php?publish=a"
		wantBody(t, do(t, newRequest(t, http.MethodPost, url, strings.Repeat("x", most))), "true")
		if info, err := os.Stat(eventFile(site, "a")); err != nil || info.Size() != most {
			t.Errorf("the event's file is %v, %v; want %d bytes", info, err, most)
		}
	})
}

// With server.stream-request-body, lighttpd passes on a body as it arrives. When the client leaves, lighttpd
// closes the input of comet.cgi and then ends it by a signal. It depends on chance whether comet.cgi sees the
// short body first, so many clients leave.
func TestBody_OfClientThatLeavesPublishesNothing(t *testing.T) {
	const clients = 50
	const header = "POST /comet.php%s HTTP/1.1\r\nHost: localhost\r\n" +
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n%s"
	for name, leave := range map[string]func(*net.TCPConn) error{
		"it resets its connection": func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) },
		"it sends no more":         func(c *net.TCPConn) error { return c.CloseWrite() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := launchSite(t, launch.Options{Server: launch.LighttpdCGI, Extra: "server.stream-request-body = 2"})
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
				fmt.Fprintf(connection, header, query, body)
				eventually(t, func() error {
					if !running(t, site, "comet.cgi") {
						return errors.New("comet.cgi does not run")
					}
					return nil
				})
				if err := leave(connection.(*net.TCPConn)); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, func() error {
				if running(t, site, "comet.cgi") {
					return errors.New("comet.cgi still runs")
				}
				return nil
			})
			publish(t, site, "last")
			files, err := os.ReadDir(site.Events)
			if err != nil || len(files) != 1 || files[0].Name() != "last.comet" {
				t.Errorf("%d events were published (%v, %v); want only the last", len(files), files, err)
			}
		})
	}
}
