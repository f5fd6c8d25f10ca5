package e2e_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"novcomet/examples/internal/docs"
	"novcomet/examples/internal/launch"
)

// The test runs the commands of every README in their order, on a machine with systemd and without NovComet.
// CONTRIBUTING.md describes how the commands are written.
func TestManual_CommandsWork(t *testing.T) {
	t.Parallel()
	root, err := launch.Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pages, err := docs.Files(root, "README.md")
	if err != nil {
		t.Fatal(err)
	}
	warmCache(t, root)
	dist := makeRelease(t, root)
	machines := make(chan struct{}, 2) // run at the same time
	for _, page := range pages {
		sessions, err := plan(root, page, "")
		if err != nil {
			t.Error(err)
			continue
		}
		for _, s := range sessions {
			t.Run(page+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				if !slices.ContainsFunc(s.steps, func(s step) bool { return s.skip == "" }) {
					t.Skip("no command is run")
				}
				machines <- struct{}{}
				began := time.Now()
				t.Cleanup(func() {
					<-machines
					t.Logf("%.0f s", time.Since(began).Seconds())
				})
				if err := boot(t, root, dist).run(t, s); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// This test shows that the test above can fail.
func TestManual_FindsMistakes(t *testing.T) {
	root, err := launch.Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := boot(t, root, "")
	for name, page := range map[string]struct {
		text string
		want string // a part of the error, empty if the page is right
	}{
		"commands and a file": {
			"    touch a \\\n      b && ls b\n    cd /tmp\n    X=1\n\n" +
				"<!-- file: /etc/x.conf -->\n```text\none\n```\n\n" +
				"    test $X = 1 && grep one /etc/x.conf && sudo rm /etc/x.conf", "",
		},
		"a command that fails":   {"    true\n    false\n", "status 1"},
		"a missing command":      {"    novcomet-missing\n", "novcomet-missing"},
		"a syntax error":         {"    fi\n", "syntax error"},
		"a command without sudo": {"    touch /etc/novcomet\n", "Permission denied"},
		"a command with sudo":    {"    sudo touch /etc/novcomet && sudo rm /etc/novcomet\n", ""},
		"a missing service":      {"    sudo systemctl restart novcomet-missing\n", "novcomet-missing.service"},
		"a service":              {"    sudo systemctl restart memcached\n    sudo systemctl stop memcached\n", ""},
		"another output":         {"    curl file:///etc/hostname\n    {\"s\":0}\n", "novcomet"},
		"the shown output":       {"    echo '{\"s\":1}' > /tmp/f; curl file:///tmp/f\n    {\"s\":1}\n", ""},
		"a stamp in later commands": {
			"    echo '[1234567890.5,1234567891]' > /tmp/f; curl file:///tmp/f\n    [1763800123.456789,1763800123]\n" +
				"    test 1763800123.456789 = 1234567890.5\n    test 1763800123 = 1234567891\n", "",
		},
		"a missing insertion point": {
			"<!-- insert: /etc/hostname: none -->\n```text\nx\n```\n\n    true\n", "/etc/hostname",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := m.run(t, session{steps: steps(docs.Parse("README.md", page.text), nil)})
			switch {
			case page.want == "" && err != nil:
				t.Error(err)
			case page.want != "" && (err == nil || !strings.Contains(err.Error(), page.want)):
				t.Errorf("got %v, want an error with %q", err, page.want)
			}
		})
	}
}
