package launch

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestVariants_UseEveryExampleFile(t *testing.T) {
	var used []string
	for _, v := range variants {
		used = append(used, v.example, v.upstream, v.yaml)
	}
	for _, directory := range []string{"apache", "nginx", "lighttpd", "caddy", "cluster"} {
		files, err := os.ReadDir(filepath.Join("..", "..", directory))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			path := filepath.Join(directory, file.Name())
			if !file.IsDir() && filepath.Ext(path) != ".md" && !slices.Contains(used, path) {
				t.Errorf("no variant uses examples/%s", path)
			}
		}
	}
}

func TestRelocate_ReplacesEveryPathOfTheSystem(t *testing.T) {
	for server, v := range variants {
		required := map[string][]string{v.example: v.paths}
		if v.upstream != "" {
			required[v.upstream] = v.sockets
		}
		for file, paths := range required {
			text, err := os.ReadFile(filepath.Join("..", "..", file))
			if err != nil {
				t.Fatal(err)
			}
			relocated, err := relocate(string(text), "/relocated", paths)
			if err != nil {
				t.Errorf("%s: %v", server, err)
			}
			for line := range strings.Lines(relocated) {
				if strings.HasPrefix(strings.TrimSpace(line), "#") {
					continue
				}
				for _, directory := range []string{"/usr/", "/run/", "/etc/", "/var/", "/dev/"} {
					if at := strings.Index(line, directory); at >= 0 && !strings.HasSuffix(line[:at], "/relocated") {
						t.Errorf("%s still has a path of the system in %q", file, line)
					}
				}
			}
		}
	}
}

func TestRelocate_RefusesTextWithoutRequiredPath(t *testing.T) {
	_, err := relocate("fastcgi_pass unix:/run/another.sock;", "/relocated", []string{socket})
	if err == nil || !strings.Contains(err.Error(), socket) {
		t.Errorf("got %v, want an error that names %s", err, socket)
	}
}
