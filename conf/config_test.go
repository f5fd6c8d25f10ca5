package conf

import (
	"strings"
	"testing"
)

func TestConfig_WarningsNameWhatToDo(t *testing.T) {
	for text, words := range map[string][]string{
		string(cometYAML(t)): nil,
		"{tries: 26, sleep: 2}": {"52s", "10s", "allow 65s", "fastcgi_read_timeout", "ProxyTimeout", "FcgidIOTimeout",
			"72 seconds"},
		"listen: 0.0.0.0:9000": {"0.0.0.0:9000", "firewall"},
		"listen: '[::]:9000'":  {"[::]:9000", "firewall"},
		"listen: backend:9000": {"backend:9000", "firewall", "FCGI_WEB_SERVER_ADDRS"},
		"subscribe.signed: a":  {"subscribe.signed", "nobody can subscribe", "subscribe.secret_file"},
		"{subscribe.signed: a, subscribe.secret_file: " + testdata + "secrets}": nil,
		"status: on":             {"every location", "COMET_STATUS", "fastcgi_param", "SetEnv"},
		"{tries: 25, sleep: 2}":  nil,
		"listen: unix:/run/x":    nil,
		"listen: 127.0.0.2:9000": nil,
		"listen: '[::1]:9000'":   nil,
		"listen: localhost:9000": nil,
	} {
		lines := load(t, Source{File: write(t, text)}).Warnings()
		if words == nil && len(lines) > 0 || words != nil && len(lines) != 1 {
			t.Errorf("%s: %q", text, lines)
			continue
		}
		for _, word := range words {
			if !strings.Contains(lines[0], word) || strings.Contains(lines[0], "\n") {
				t.Errorf("%s: %q lacks %q in one line", text, lines[0], word)
			}
		}
	}
}
