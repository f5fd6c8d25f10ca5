package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"novcomet/examples/internal/launch"
)

// Debian's Apache has 150 workers, and each waiting comet.cgi keeps one.
func TestApache_ServesPagesWhileMorePollsArriveThanItHasWorkers(t *testing.T) {
	t.Parallel()
	const crowd, limit = 200, 32
	servers := []launch.Server{launch.ApacheCGI, launch.ApachePrefork}
	options := launch.Options{
		Settings: merge(longPolls, map[string]string{"cgi.max_waiting": fmt.Sprint(limit)}),
		Extra:    "MaxRequestWorkers 150\nSetEnv TMPDIR {dir}",
	}
	forEachServer(t, servers, options, func(t *testing.T, site *launch.Site) {
		// sendPolls sends polls, waits until only those that may wait are left, and returns their answers.
		sendPolls := func(n int) <-chan answer {
			answers := make(chan answer, n)
			legacy := fmt.Sprintf("subscribed[news]=%d", time.Now().Unix()) // This answer is held for a second or two.
			for i := range n {
				query := []string{legacy, "subscribed[news]=now"}[i%2]
				go func() { answers <- <-sendQuery(t, site, query) }()
			}
			for range n - limit {
				if a := receive(t, answers); !strings.HasPrefix(a.body, `{"s":0`) {
					t.Fatalf("got %d %s", a.status, a.body)
				}
			}
			wantWaiting(t, answers)
			return answers
		}
		waiting := sendPolls(crowd)
		if page := do(t, newRequest(t, http.MethodGet, site.URL+"/", "")); page.status != http.StatusOK {
			t.Errorf("while polls wait, the page is answered with %d %s", page.status, page.body)
		}
		if err := site.Kill(); err != nil {
			t.Fatal(err)
		}
		for range limit {
			if a := receive(t, waiting); a.status == http.StatusOK {
				t.Errorf("a poll whose process was killed gets %d %s", a.status, a.body)
			}
		}
		waiting = sendPolls(limit + 8) // All slots are free.
		for range limit {
			shell(t, site, "touch news.comet") // A poll that begins late takes an earlier publication for old.
			if a := receive(t, waiting); !strings.HasPrefix(a.body, `{"s":1,"k":{"news":`) {
				t.Errorf("a waiting poll gets %d %s", a.status, a.body)
			}
		}
	})
}

// uploadedFolder makes the folder that examples/shared-hosting/README.md describes, with the directory of the
// events in comet.yaml.
func uploadedFolder(t *testing.T, folder, events string) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(folder, "comet.cgi"), "./cgi")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	for _, file := range []string{
		"shared-hosting/.htaccess", "shared-hosting/comet.yaml", "shared-hosting/index.html", "browser/novcomet.js",
	} {
		text := strings.ReplaceAll(example(t, file), "/home/example/comet-events", events)
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(file)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSharedHosting_FolderWorksAsUploaded(t *testing.T) {
	root, events := t.TempDir(), filepath.Join(os.TempDir(), fmt.Sprintf("novcomet-events-%d", os.Getpid()))
	if err := os.Mkdir(events, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(events) })
	uploadedFolder(t, filepath.Join(root, "comet"), events)
	uploadedFolder(t, filepath.Join(root, "incomplete"), events)
	if err := os.Remove(filepath.Join(root, "incomplete", "comet.yaml")); err != nil {
		t.Fatal(err)
	}
	site := launchSite(t, launch.Options{
		Server: launch.ApacheCGI, Root: root, Directory: events,
		Extra: "DirectoryIndex index.html\nSetEnv TMPDIR {dir}\n" +
			"<Directory />\nAllowOverride Options=ExecCGI FileInfo AuthConfig\n</Directory>",
	})
	get := func(path string) answer {
		t.Helper()
		return do(t, newRequest(t, http.MethodGet, site.URL+"/comet/"+path, ""))
	}
	for _, secret := range []string{"comet.yaml", ".htaccess", "comet.cgi?publish=news"} {
		if a := get(secret); a.status != http.StatusForbidden {
			t.Errorf("%s: %d %s", secret, a.status, a.body)
		}
	}
	wantBody(t, get("comet.cgi?subscribed[news]=now&wait=0"), `{"s":0,"at":{"news":"0.000000"}}`)

	if a := get("../incomplete/comet.cgi?publish=news"); a.status != http.StatusInternalServerError {
		t.Errorf("without comet.yaml: %d %s; want HTTP 500", a.status, a.body)
	}

	window := openWindow(t, startBrowser(t), site.URL+"/comet/")
	window.waitUntil(t, `document.getElementById("state").textContent === "answers"`)
	write(t, site, "news", `{"text":"hello"}`)
	window.waitUntil(t, `document.getElementById("news").textContent.endsWith('{"text":"hello"}')`)
	if a := get("comet.cgi?subscribed[news]=0.0"); !strings.HasPrefix(a.body, `{"s":1,"k":{"news":`) {
		t.Errorf("a poll for an older event: %d %s", a.status, a.body)
	}
}
