package access_test

import (
	"strings"
	"testing"

	"novcomet/core/access"
	"novcomet/core/internal/coretest"
)

func TestParseOrigins_RejectsWhatIsNotAnOrigin(t *testing.T) {
	for _, site := range []string{
		"", "example.com", "null", "https://", "https://example.com/", "https://example.com/a", "https://example.com?",
		"https://a@example.com", "https://*.example.com", "**", "https://exämple.com", "//example.com", "https://a b",
		"file:///etc", "https://example.com:port", "https://example.com\r\nX: y",
	} {
		_, err := access.ParseOrigins([]string{"https://a.example", site})
		if err == nil || strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("%q: %v", site, err)
		}
	}
}

func TestOrigins_AllowThePagesOfListedSites(t *testing.T) {
	for _, test := range []struct{ sites, yes, no string }{
		{"", "", "https://a.example null"},
		{"https://a.example", "https://a.example https://a.example/page?x=1 https://A.EXAMPLE:443", ""},
		{"https://a.example", "", "http://a.example https://a.example:8443 https://b.a.example https://a.example.b"},
		{"https://a.example", "", "null %%%"},
		{"https://a.example:443", "https://a.example", "http://a.example"},
		{"http://A.example:8080", "http://a.EXAMPLE:8080/page", "http://a.example http://a.example:80"},
		{"https://a.example http://b.example:80", "https://a.example http://b.example", "https://c.example"},
		{"*", "https://a.example null %%%", ""},
	} {
		origins := coretest.Must(access.ParseOrigins(strings.Fields(test.sites)))
		all := test.sites == "*"
		if origins.Given() != (test.sites != "") || origins.All() != all || origins.Explicit().All() {
			t.Errorf("%q: given %v, all %v", test.sites, origins.Given(), origins.All())
		}
		for page := range strings.FieldsSeq(test.yes) {
			if !origins.Allows(page) || origins.Explicit().Allows(page) != !all {
				t.Errorf("%q do not allow %q, or only by *", test.sites, page)
			}
		}
		for page := range strings.FieldsSeq(test.no) {
			if origins.Allows(page) {
				t.Errorf("%q allow %q", test.sites, page)
			}
		}
	}
}

func TestOrigin_HasTheHostOfARequest(t *testing.T) {
	for _, test := range []struct {
		page, host, port string
		want             bool
	}{
		{"http://example.com/page?x=1", "example.com", "", true},
		{"http://example.COM", "EXAMPLE.com", "", true},
		{"https://example.com", "example.com", "", true}, // A TLS proxy in front talks HTTP to the server.
		{"http://example.com", "example.com:80", "", true},
		{"https://example.com:443", "example.com", "", true},
		{"http://example.com:", "example.com", "", true},
		{"http://example.com:8080", "example.com", "", false},
		{"http://example.com:8080", "example.com:8080", "", true},
		{"http://[::1]:8080", "[::1]:8080", "", true},
		// The port that the web server leaves out of Host.
		{"http://example.com:8080", "example.com", "8080", true},
		{"http://[::1]:8080", "[::1]", "8080", true},
		{"http://example.com", "example.com", "8080", true}, // The port may be mapped to another one.
		{"http://example.com:8081", "example.com", "8080", false},
		{"http://example.com:8080", "example.com:80", "8080", false},
		{"http://evil.example/", "example.com", "", false},
		{"http://evil-example.com", "example.com", "", false},
		{"http://example.com.evil.example", "example.com", "", false},
		{"http://example.com@evil.example", "example.com", "", false},
		{"http://example.com", "", "", false},
		{"null", "example.com", "", false},
		{"%%%", "example.com", "", false},
	} {
		origin, ok := access.ParseOrigin(test.page)
		if got := ok && origin.HasHost(test.host, test.port); got != test.want {
			t.Errorf("%q has host %q, port %q: %v; want %v", test.page, test.host, test.port, got, test.want)
		}
	}
}
