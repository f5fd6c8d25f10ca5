package launch

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, server := range Servers() {
		if got, err := Parse(string(server)); got != server || err != nil {
			t.Errorf("%s: got %s, %v", server, got, err)
		}
	}
	if got, err := Parse("apache"); got != ApacheCGI || err != nil {
		t.Errorf("apache: got %s, %v", got, err)
	}
	for _, name := range []string{"iis", string(Cluster)} {
		if _, err := Parse(name); err == nil || !strings.Contains(err.Error(), "nginx") {
			t.Errorf("%s: got %v, want an error that names the servers", name, err)
		}
	}
}

func TestInstalled_NamesMissingPackage(t *testing.T) {
	for _, v := range []variant{
		{program: "no-such-server", install: "the-package"},
		{program: "sh", module: "/no/such/module.so", install: "the-package"},
	} {
		if err := v.installed(); err == nil || !strings.Contains(err.Error(), "apt install the-package") {
			t.Errorf("got %v, want an error that names the package", err)
		}
	}
}
