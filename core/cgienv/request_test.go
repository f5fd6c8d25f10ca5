package cgienv_test

import (
	"io"
	"strings"
	"testing"

	"novcomet/core"
	"novcomet/core/cgienv"
)

// env are the variables of a request.
type env = map[string]string

func TestNewRequest_ReadsVariablesAsPHPDoes(t *testing.T) {
	for name, test := range map[string]struct {
		variables   env
		query, host string
	}{
		"QUERY_STRING is used, because a rewrite may have added to it": {
			env{"QUERY_STRING": "publish=a&x=1", "REQUEST_URI": "/comet.php?publish=b"}, "publish=a&x=1", ""},
		"an empty QUERY_STRING, too":           {env{"QUERY_STRING": "", "REQUEST_URI": "/comet.php?publish=b"}, "", ""},
		"REQUEST_URI is used without it":       {env{"REQUEST_URI": "/comet.php?publish=b"}, "publish=b", ""},
		"a query that is invalid in a URL":     {env{"QUERY_STRING": "publish=100%&a=\x7f b"}, "publish=100%&a=\x7f b", ""},
		"a Host that is invalid in a URL":      {env{"HTTP_HOST": "a b@c:d", "REQUEST_URI": "/"}, "", "a b@c:d"},
		"a path that is invalid in a URL":      {env{"REQUEST_URI": "/%zz\x01?publish=a"}, "publish=a", ""},
		"a protocol that net/http cannot read": {env{"SERVER_PROTOCOL": "HTTP/3", "QUERY_STRING": "a"}, "a", ""},
		"an empty length":                      {env{"CONTENT_LENGTH": "", "CONTENT_TYPE": ""}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := cgienv.NewRequest(variablesOf(test.variables), strings.NewReader(""))
			if err != nil {
				t.Fatal(err)
			}
			if r.URL.RawQuery != test.query || r.Host != test.host {
				t.Errorf("query %q, host %q; want %q, %q", r.URL.RawQuery, r.Host, test.query, test.host)
			}
		})
	}
}

func TestNewRequest_FailsForAShortBody(t *testing.T) {
	for length, complete := range map[string]bool{"": true, "3": true, "4": false} {
		variables := variablesOf(map[string]string{"REQUEST_METHOD": "POST", "CONTENT_LENGTH": length})
		r, err := cgienv.NewRequest(variables, strings.NewReader("abc"))
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(r.Body); (err == nil) != complete || string(body) != "abc" {
			t.Errorf("length %q: %q, %v; want it to be complete: %v", length, body, err, complete)
		}
	}
}

func TestNewRequest_RefusesInvalidVariables(t *testing.T) {
	for name, variables := range map[string]map[string]string{
		"no method":      {"SERVER_PROTOCOL": "HTTP/1.1"},
		"invalid length": variablesOf(map[string]string{"CONTENT_LENGTH": "many"}),
	} {
		if _, err := cgienv.NewRequest(variables, strings.NewReader("")); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestClientOf(t *testing.T) {
	for name, test := range map[string]struct {
		variables env
		want      core.Client
	}{
		"nothing":                     {env{}, core.Client{}},
		"REMOTE_USER alone":           {env{"REMOTE_USER": "ann"}, core.Client{}},
		"REMOTE_USER and AUTH_TYPE":   {env{"REMOTE_USER": "ann", "AUTH_TYPE": "Basic"}, core.Client{User: "ann"}},
		"the location's user":         {env{"COMET_USER": "bob", "REMOTE_USER": "ann"}, core.Client{User: "bob"}},
		"the location's empty user":   {env{"COMET_USER": "", "REMOTE_USER": "ann", "AUTH_TYPE": "Basic"}, core.Client{}},
		"a port":                      {env{"SERVER_PORT": "8080"}, core.Client{Port: "8080"}},
		"a header with a user's name": {env{"HTTP_REMOTE_USER": "ann", "HTTP_AUTH_TYPE": "Basic"}, core.Client{}},
	} {
		if got := cgienv.ClientOf(test.variables); got != test.want {
			t.Errorf("%s: %+v; want %+v", name, got, test.want)
		}
	}
}
