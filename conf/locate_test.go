package conf_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"novcomet/conf"
)

// variables is what nginx sends with a request by its stock fastcgi_params.
func variables(more ...string) map[string]string {
	m := map[string]string{"QUERY_STRING": "subscribed[a]=1", "REQUEST_METHOD": "GET", "CONTENT_TYPE": "", "CONTENT_LENGTH": "",
		"SCRIPT_NAME": "/comet.php", "REQUEST_URI": "/comet.php?subscribed[a]=1", "DOCUMENT_URI": "/comet.php", "DOCUMENT_ROOT": "/var/www/html",
		"SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_SCHEME": "http", "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "nginx/1.22.1",
		"REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "40000", "REMOTE_USER": "", "SERVER_ADDR": "127.0.0.1", "SERVER_PORT": "80", "SERVER_NAME": "_",
		"REDIRECT_STATUS": "200", "HTTP_HOST": "localhost", "HTTP_USER_AGENT": "curl", "HTTP_ACCEPT": "*/*"}
	for i := 0; i < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

func TestALocationMaySetTriesAndSleep(t *testing.T) {
	c := load(t, conf.Source{File: write(t, "{tries: 7, sleep: 3, listen: 127.0.0.1:9000, file.mode: 0600, max_request: 4096}")})
	before := c
	for _, l := range []struct {
		set   []string
		tries int
		sleep time.Duration
	}{
		{nil, 7, 3 * time.Second},
		{[]string{"COMET_TRIES", "5"}, 5, 3 * time.Second},
		{[]string{"COMET_SLEEP", "0.5"}, 7, 500 * time.Millisecond},
		{[]string{"COMET_TRIES", "5", "COMET_SLEEP", "100ms"}, 5, 100 * time.Millisecond},
		{[]string{"COMET_TRIES", "", "COMET_SLEEP", "4"}, 7, 4 * time.Second},
		{[]string{"COMET_CONFIG", "", "COMET_FILE_MODE", ""}, 7, 3 * time.Second},
		{[]string{"HTTP_COMET_TRIES", "5", "REDIRECT_COMET_TRIES", "5", "comet_tries", "5"}, 7, 3 * time.Second},
	} {
		got, err := c.Locate(variables(l.set...))
		want := c
		want.Tries, want.Sleep = l.tries, l.sleep
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v", l.set, got, err)
		}
	}
	if !reflect.DeepEqual(c, before) {
		t.Errorf("a location changed what holds for all: %+v", c)
	}
}

const can = "cannot be set for a location: only COMET_TRIES, COMET_SLEEP, COMET_PUBLISH_ALLOW, COMET_PUBLISH_METHODS, COMET_PUBLISH_RATE, " +
	"COMET_SUBSCRIBE_ALLOW, COMET_SUBSCRIBE_SIGNED, COMET_SUBSCRIBE_SECRET_FILE, COMET_ORIGINS, COMET_STREAM_COMMENT, COMET_STREAM_END, COMET_STATUS can"

func TestALocationMaySetNothingElse(t *testing.T) {
	c := defaults(t)
	for _, k := range keys {
		_, err := c.Locate(variables(variable(k.key), k.environment))
		if strings.Contains(can, variable(k.key)) {
			if err != nil {
				t.Errorf("%s: %v", k.key, err)
			}
			continue
		}
		mustSay(t, err, "variable "+variable(k.key)+" "+can)
	}
	_, err := c.Locate(variables("COMET_CONFIG", "/etc/novcomet/comet.yaml"))
	mustSay(t, err, "variable COMET_CONFIG "+can)
}

func TestALocationsMistakeIsAnError(t *testing.T) {
	c := defaults(t)
	for _, l := range []struct{ name, value, says string }{
		{"COMET_TRYS", "5", `unknown variable "COMET_TRYS": did you mean COMET_TRIES?`},
		{"COMET_TRYS", "", `unknown variable "COMET_TRYS": did you mean COMET_TRIES?`},
		{"COMET_PUBLISH_ALOW", "none", `unknown variable "COMET_PUBLISH_ALOW": did you mean COMET_PUBLISH_ALLOW?`},
		{"COMET_USR", "ann", `unknown variable "COMET_USR": did you mean COMET_USER?`},
		{"COMET_", "", `unknown variable "COMET_"`},
	} {
		_, err := c.Locate(variables(l.name, l.value))
		mustSay(t, err, l.says)
	}
	for _, w := range wrong {
		if !strings.Contains(can, variable(w.key)) {
			continue
		}
		for _, value := range w.values {
			if value == "" {
				continue
			}
			_, err := c.Locate(variables(variable(w.key), value))
			mustSay(t, err, "variable "+variable(w.key)+": "+w.key+": ", " is not ", w.allowed)
		}
	}
}

func TestLocatingWithoutVariablesOfOursAllocatesNothing(t *testing.T) {
	c, request := defaults(t), variables()
	if n := testing.AllocsPerRun(100, func() {
		if _, err := c.Locate(request); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}

func BenchmarkLocateNothing(b *testing.B) { benchmarkLocate(b, variables()) }

func BenchmarkLocateTries(b *testing.B) { benchmarkLocate(b, variables("COMET_TRIES", "5")) }

func benchmarkLocate(b *testing.B, request map[string]string) {
	c := load(b, conf.Source{File: "/dev/null"})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Locate(request); err != nil {
			b.Fatal(err)
		}
	}
}
