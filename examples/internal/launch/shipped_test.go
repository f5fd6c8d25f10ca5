package launch

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestEveryShippedFileIsStarted(t *testing.T) {
	var started []string
	for _, v := range variants {
		started = append(started, v.shipped, v.several, v.yaml)
	}
	for _, server := range []string{"apache", "nginx", "lighttpd", "caddy", "cluster"} {
		files, err := os.ReadDir(filepath.Join("..", "..", server))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if path := filepath.Join(server, file.Name()); !file.IsDir() && filepath.Ext(path) != ".md" && !slices.Contains(started, path) {
				t.Errorf("no variant starts examples/%s", path)
			}
		}
	}
}

func TestTransplantReplacesEveryCanonicalPath(t *testing.T) {
	for server, v := range variants {
		text, err := os.ReadFile(filepath.Join("..", "..", v.shipped))
		if err != nil {
			t.Fatal(err)
		}
		moved, err := transplant(string(text), "/moved", v.paths)
		if err != nil {
			t.Errorf("%s: %v", server, err)
		}
		for line := range strings.Lines(moved) {
			if strings.HasPrefix(strings.TrimSpace(line), "#") {
				continue
			}
			for _, system := range []string{"/usr/", "/run/", "/etc/", "/var/", "/dev/"} {
				if at := strings.Index(line, system); at >= 0 && !strings.HasSuffix(line[:at], "/moved") {
					t.Errorf("%s still needs the system's own path in %q", v.shipped, line)
				}
			}
		}
	}
}

func TestTransplantMissesAPath(t *testing.T) {
	_, err := transplant("fastcgi_pass unix:/run/another.sock;", "/moved", []string{socket})
	if err == nil || !strings.Contains(err.Error(), socket) {
		t.Errorf("got %v, want an error that names %s", err, socket)
	}
}

func TestABlockIsPutIntoForceByItsHeading(t *testing.T) {
	const text = `a {
    # A long
    # heading:
    # b 1;
    # c {
    #     d "x: y";
    # }

    # Another heading:
    # e 2;
    f 3;
    # g 4;
}`
	const want = `a {
    # A long
    # heading:
    b 1;
    c {
        d "x: y";
    }

    # Another heading:
    # e 2;
    f 3;
    # g 4;
}`
	if got, err := uncomment(text, "A long"); err != nil || got != want {
		t.Errorf("%v:\n%s", err, got)
	}
	for _, heading := range []string{"No heading", "e 2", "g 4", "b 1", "f 3"} {
		if got, err := uncomment(text, heading); err == nil {
			t.Errorf("%s:\n%s", heading, got)
		}
	}
}

func TestMissingServerNamesThePackage(t *testing.T) {
	for _, v := range []variant{
		{program: "no-such-server", install: "the-package"},
		{program: "sh", module: "/no/such/module.so", install: "the-package"},
	} {
		if err := v.installed(); err == nil || !strings.Contains(err.Error(), "apt install the-package") {
			t.Errorf("got %v, want an error that says what to install", err)
		}
	}
}
