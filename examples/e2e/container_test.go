package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// compose has the options of compose.yaml. The test fails if compose.yaml has another one.
type compose struct {
	Services map[string]struct {
		Image       string            `yaml:"image"`
		Build       map[string]string `yaml:"build"`
		User        string            `yaml:"user"`
		GroupAdd    []string          `yaml:"group_add"`
		NetworkMode string            `yaml:"network_mode"`
		ReadOnly    bool              `yaml:"read_only"`
		CapDrop     []string          `yaml:"cap_drop"`
		SecurityOpt []string          `yaml:"security_opt"`
		Ulimits     map[string]int    `yaml:"ulimits"`
		Restart     string            `yaml:"restart"`
		DependsOn   []string          `yaml:"depends_on"`
		Ports       []string          `yaml:"ports"`
		Command     []string          `yaml:"command"`
		Volumes     []string          `yaml:"volumes"`
	} `yaml:"services"`
	Volumes map[string]struct {
		Options map[string]string `yaml:"driver_opts"`
	} `yaml:"volumes"`
}

// imageConfig is the part of an image's configuration that examples/container/Dockerfile sets.
type imageConfig struct {
	User            string
	Cmd, Entrypoint []string
	Healthcheck     struct{ Test []string }
}

// runAsRoot runs a command in the root of the clone, and returns its output.
func runAsRoot(t *testing.T, argv ...string) string {
	t.Helper()
	cmd := asRoot(argv...)
	cmd.Dir = "../.."
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, output)
	}
	return strings.TrimSpace(string(output))
}

// buildImage builds the image from its Dockerfile, and returns its configuration and its root directory. It
// replaces a registry's image of Go by one with the Go of this machine.
func buildImage(t *testing.T, dir string) (config imageConfig, root string) {
	t.Helper()
	buildah := []string{"buildah", "--root", dir + "/storage", "--runroot", dir + "/run", "--storage-driver", "vfs"}
	t.Cleanup(func() { runAsRoot(t, append(buildah, "rm", "--all")...) })
	do := func(args ...string) string {
		t.Helper()
		return runAsRoot(t, append(buildah, args...)...)
	}
	empty := filepath.Join(dir, "empty")
	const golang = "FROM scratch\nENV GOMODCACHE=/modules GOCACHE=/cache GOTMPDIR=/cache GOPROXY=off\n"
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(empty, "Dockerfile"), []byte(golang), 0o644); err != nil {
		t.Fatal(err)
	}
	do("build", "--tag", "localhost/golang", empty)
	do("build", "--isolation", "chroot", "--format", "docker", "--build-arg", "GO=localhost/golang",
		"--volume", goEnv(t, "GOROOT")+":/usr/local/go:ro", "--volume", goEnv(t, "GOMODCACHE")+":/modules:ro",
		"--volume", goEnv(t, "GOCACHE")+":/cache", "--tag", "novcomet", "--file", "examples/container/Dockerfile", ".")
	var image struct{ Docker struct{ Config imageConfig } }
	if err := json.Unmarshal([]byte(do("inspect", "--type", "image", "novcomet")), &image); err != nil {
		t.Fatal(err)
	}
	do("from", "--name", "container", "novcomet")
	return image.Docker.Config, do("mount", "container")
}

// The processes run in the image's root directory by chroot, because container engines need cgroups that not
// every machine has.
func TestContainer_ServesBehindNginxAsProcess1(t *testing.T) {
	dir, err := os.MkdirTemp("", "novcomet-container-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if log, _ := os.ReadFile(filepath.Join(dir, "log")); t.Failed() {
			t.Logf("the log of comet-fcgi:\n%s", log)
		}
		runAsRoot(t, "rm", "-r", dir)
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	config, root := buildImage(t, dir)
	if files := runAsRoot(t, "find", root, "-type", "f"); files != root+"/comet-fcgi" {
		t.Errorf("the image has the files %s", files)
	}
	runAsRoot(t, "cp", "-a", root, dir+"/root")
	check := []string{"CMD", "/comet-fcgi", "check", "--socket", "unix:/run/novcomet/comet.sock"} // as in container.sh
	if !slices.Equal(config.Healthcheck.Test, check) || config.User != "65532:65532" {
		t.Errorf("the image has the health check %q and the user %s", config.Healthcheck.Test, config.User)
	}

	var c compose
	decoder := yaml.NewDecoder(strings.NewReader(example(t, "container/compose.yaml")))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil {
		t.Fatal(err)
	}
	fcgi, nginx, publisher := c.Services["comet-fcgi"], c.Services["nginx"], c.Services["publisher"]
	for _, s := range []struct{ volumes, want []string }{
		{fcgi.Volumes, []string{"./comet.yaml:/etc/novcomet/comet.yaml:ro", "socket:/run/novcomet", "events:/events"}},
		{publisher.Volumes, []string{"events:/events"}},
		{nginx.Volumes[len(nginx.Volumes)-1:], []string{"socket:/run/novcomet:ro"}},
	} {
		if !slices.Equal(s.volumes, s.want) { // container.sh mounts these.
			t.Errorf("volumes %q; want %q", s.volumes, s.want)
		}
	}
	// write puts a file of the folder into the directory of the test.
	write := func(source, target string) {
		t.Helper()
		target = filepath.Join(dir, target)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(example(t, "container/comet.yaml"), "comet.yaml")
	for _, volume := range nginx.Volumes[:len(nginx.Volumes)-1] {
		parts := strings.Split(volume, ":")
		write(example(t, "container", parts[0]), strings.TrimPrefix(parts[1], "/etc/"))
	}
	parameters, err := os.ReadFile("/etc/nginx/fastcgi_params")
	if err != nil {
		t.Fatal(err)
	}
	write(string(parameters), "nginx/fastcgi_params")
	temporary := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temporary += kind + "_temp_path /run/nginx/" + kind + ";\n"
	}
	write("daemon off; master_process off; pid /dev/null; events { }\nhttp {\naccess_log off;\n"+temporary+
		"include conf.d/*.conf;\n}\n", "nginx/nginx.conf")

	script, err := filepath.Abs("testdata/container.sh")
	if err != nil {
		t.Fatal(err)
	}
	output := runAsRoot(t, slices.Concat([]string{
		"timeout", "--signal=KILL", "120", "bash", script, dir, config.User, strings.Join(fcgi.GroupAdd, ","),
		c.Volumes["socket"].Options["o"], c.Volumes["events"].Options["o"], publisher.User, publisher.Command[2],
	}, config.Entrypoint, config.Cmd)...)
	const want = `not healthy before the start
socket 660 65532:101
{"s":0,"at":{"news":"0.000000"}}
{"error":"publishing \"news\" is not allowed"}
{"s":1,"k":{"news":STAMP},"at":{"news":"STAMP"}}
process 1
the stream has ended
the container has ended`
	if output != want {
		t.Errorf("got\n%s\nwant\n%s", output, want)
	}
}
