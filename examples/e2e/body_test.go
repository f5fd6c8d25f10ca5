package e2e_test

import (
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

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
