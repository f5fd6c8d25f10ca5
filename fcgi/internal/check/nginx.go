package check

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// nginx looks at how many browsers the nginx in front of comet-fcgi has room for. It says nothing if there is none on this
// machine, or if its configuration can't be read.
func (c *checker) nginx() {
	const check = "nginx"
	socket := c.socketPath()
	if socket == "" {
		return
	}
	for _, master := range running("nginx") {
		file, ok := configOf(master.pid)
		if !ok {
			continue
		}
		config := readNginx(file, filepath.Dir(file), map[string]bool{})
		connections, ok := workerConnections(config)
		if !ok || !strings.Contains(config, "unix:"+socket) {
			continue
		}
		workers, files := workersOf(master.pid)
		if workers == 0 {
			continue
		}
		// A browser takes two connections. The workers do not share the browsers evenly, so half of the room is for that.
		room := connections * workers / 4
		has := fmt.Sprintf("%d workers with %d worker_connections", workers, connections)
		switch most := c.config.MaxWaiting; {
		case files != 0 && files < uint64(connections):
			c.warn(check, fmt.Sprintf("worker_rlimit_nofile %d; in %s", 2*connections, file), "each worker may have %d open files, but has %d worker_connections", files, connections)
		case most > room:
			c.warn(check, fmt.Sprintf("worker_connections %d; in %s, and worker_rlimit_nofile at least as large", (4*most+workers-1)/workers, file),
				"max_waiting is %d, but nginx has room for %d browsers at the same time (%s)", most, room, has)
		default:
			c.ok(check, "room for %d browsers at the same time (%s)", room, has)
		}
	}
}

// configOf returns the configuration file of an nginx master process, by its title: "nginx: master process nginx -c …".
func configOf(pid int) (file string, ok bool) {
	title, err := os.ReadFile(proc(pid, "cmdline"))
	if err != nil {
		return "", false
	}
	line, ok := strings.CutPrefix(strings.TrimRight(strings.ReplaceAll(string(title), "\x00", " "), " "), "nginx: master process ")
	if !ok {
		return "", false
	}
	words := strings.Fields(line)
	if at := slices.Index(words, "-c"); at >= 0 && at+1 < len(words) {
		return words[at+1], filepath.IsAbs(words[at+1])
	}
	return "/etc/nginx/nginx.conf", true
}

// workersOf counts the worker processes of a master, and returns their limit of open files.
func workersOf(master int) (workers int, files uint64) {
	for _, p := range running("nginx") {
		title, err := os.ReadFile(proc(p.pid, "cmdline"))
		if err != nil || !strings.HasPrefix(string(title), "nginx: worker process") || strings.Contains(string(title), "shutting down") {
			continue
		}
		status, err := os.ReadFile(proc(p.pid, "status"))
		if err == nil && strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", master)) {
			workers++
			files = p.openFiles()
		}
	}
	return workers, files
}

var (
	comment  = regexp.MustCompile(`(?m)(^|\s)#.*$`)
	included = regexp.MustCompile(`(?m)(?:^|[;{}\s])include\s+"?([^;"]+)"?\s*;`)
	events   = regexp.MustCompile(`(?:^|[;{}\s])worker_connections\s+(\d+)\s*;`)
)

// readNginx returns the text of a configuration file without its comments, and behind it those that it includes, whose names
// are relative to the directory. What can't be read is left out.
func readNginx(file, directory string, seen map[string]bool) string {
	const enough = 1000 // files
	if seen[file] || len(seen) == enough {
		return ""
	}
	seen[file] = true
	raw, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	text := comment.ReplaceAllString(string(raw), "$1")
	var all strings.Builder
	all.WriteString(text)
	for _, match := range included.FindAllStringSubmatch(text, -1) {
		pattern := match[1]
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(directory, pattern)
		}
		files, _ := filepath.Glob(pattern) // A pattern that is wrong matches nothing.
		for _, f := range files {
			all.WriteString("\n" + readNginx(f, directory, seen))
		}
	}
	return all.String()
}

// workerConnections returns the value in a configuration that has exactly one.
func workerConnections(config string) (n int, ok bool) {
	found := events.FindAllStringSubmatch(config, -1)
	if len(found) != 1 {
		return 0, false
	}
	n, err := strconv.Atoi(found[0][1])
	return n, err == nil
}
