package conf

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// variables are those that nginx sends with a request by its own fastcgi_params, and more: names and values.
func variables(more ...string) map[string]string {
	m := map[string]string{"QUERY_STRING": "subscribed[a]=1", "REQUEST_METHOD": "GET", "CONTENT_TYPE": "",
		"CONTENT_LENGTH": "", "SCRIPT_NAME": "/comet.php", "REQUEST_URI": "/comet.php?subscribed[a]=1",
		"DOCUMENT_URI": "/comet.php", "DOCUMENT_ROOT": "/var/www/html", "SERVER_PROTOCOL": "HTTP/1.1",
		"REQUEST_SCHEME": "http", "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "nginx/1.22.1",
		"REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "40000", "REMOTE_USER": "", "SERVER_ADDR": "127.0.0.1",
		"SERVER_PORT": "80", "SERVER_NAME": "_", "REDIRECT_STATUS": "200", "HTTP_HOST": "localhost",
		"HTTP_USER_AGENT": "curl", "HTTP_ACCEPT": "*/*"}
	for i := 0; i < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

func TestLocate_SetsOnlyTheLocation(t *testing.T) {
	c := load(t, Source{File: write(t, "{tries: 7, sleep: 3, listen: 127.0.0.1:9000, file.mode: 0600, "+
		"publish.methods: [POST, GET]}")})
	before := fmt.Sprintf("%+v", c)
	for _, l := range []struct {
		set    []string
		change func(*Config)
	}{
		{nil, func(*Config) {}},
		{[]string{"COMET_TRIES", "5"}, func(c *Config) { c.Tries = 5 }},
		{[]string{"COMET_TRIES", "5", "COMET_SLEEP", "0.1"}, func(c *Config) { c.Tries, c.Sleep = 5, time.Second/10 }},
		{[]string{"COMET_TRIES", "", "COMET_SLEEP", "4"}, func(c *Config) { c.Sleep = 4 * time.Second }},
		{[]string{"COMET_PUBLISH_METHODS", "GET"}, func(c *Config) { c.Publish.Methods = []string{"GET"} }},
		{[]string{"COMET_PUBLISH_ALLOW", "none"}, func(c *Config) { c.Publish.Allow = patternsOf() }},
		{[]string{"COMET_CONFIG", "", "COMET_FILE_MODE", ""}, func(*Config) {}},
		{[]string{"COMET_USER", "ann"}, func(*Config) {}},
		{[]string{"HTTP_COMET_TRIES", "5", "REDIRECT_COMET_TRIES", "5", "comet_tries", "5"}, func(*Config) {}},
	} {
		want := c
		l.change(&want)
		if got, err := c.Locate(variables(l.set...)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v; want %+v", l.set, got, err, want)
		}
	}
	if after := fmt.Sprintf("%+v", c); after != before {
		t.Errorf("a location changed the common settings: %s", after)
	}
}

const can = "cannot be set for a location: only COMET_TRIES, COMET_SLEEP, COMET_PUBLISH_ALLOW, " +
	"COMET_PUBLISH_METHODS, COMET_PUBLISH_RATE, COMET_SUBSCRIBE_ALLOW, COMET_SUBSCRIBE_SIGNED, " +
	"COMET_SUBSCRIBE_SECRET_FILE, COMET_ORIGINS, COMET_STREAM_COMMENT, COMET_STREAM_END, " +
	"COMET_STREAM_FORMATS, COMET_STATUS can"

func TestLocate_RefusesOtherKeysAndUnknownVariables(t *testing.T) {
	c := defaults(t)
	for _, s := range settable {
		got, err := c.Locate(variables(variableOf(s.key), s.inVariable))
		if !strings.Contains(can, variableOf(s.key)) {
			wantError(t, err, "variable "+variableOf(s.key)+" "+can)
		} else if err != nil || !reflect.DeepEqual(fieldOf(got, s.key), s.environ) {
			t.Errorf("%s: %v, %v", s.key, fieldOf(got, s.key), err)
		}
	}
	for _, l := range []struct{ name, value, words string }{
		{"COMET_CONFIG", "/etc/novcomet/comet.yaml", "variable COMET_CONFIG " + can},
		{"COMET_TRYS", "5", `unknown variable "COMET_TRYS": did you mean COMET_TRIES?`},
		{"COMET_TRYS", "", `unknown variable "COMET_TRYS": did you mean COMET_TRIES?`},
		{"COMET_PUBLISH_ALOW", "none", `unknown variable "COMET_PUBLISH_ALOW": did you mean COMET_PUBLISH_ALLOW?`},
		{"COMET_USR", "ann", `unknown variable "COMET_USR": did you mean COMET_USER?`},
		{"COMET_", "", `unknown variable "COMET_"`},
		{"COMET_TRIES=5", "", `unknown variable "COMET_TRIES=5"`},
	} {
		_, err := c.Locate(variables(l.name, l.value))
		wantError(t, err, l.words)
	}
}

func BenchmarkLocate(b *testing.B) {
	c, request := load(b, Source{File: "/dev/null"}), variables("COMET_TRIES", "5")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Locate(request); err != nil {
			b.Fatal(err)
		}
	}
}
