package check

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
)

var (
	nginxMaster      = regexp.MustCompile(`^nginx: master process (?:.* -c (\S+))?`)
	nginxComment     = regexp.MustCompile(`(?m)(^|\s)#.*$`)
	nginxInclude     = regexp.MustCompile(`(?m)(?:^|[;{}\s])include\s+"?([^;"]+)"?\s*;`)
	nginxConnections = regexp.MustCompile(`(?:^|[;{}\s])worker_connections\s+(\d+)\s*;`)
)

// checkNginx compares the connections of the nginx in front of comet-fcgi with max_waiting. It reports
// nothing if there is no such nginx on this machine, or if its configuration is not readable.
func (c *checker) checkNginx() {
	c.topic = "nginx"
	processes := running("nginx")
	for _, p := range processes {
		master := nginxMaster.FindStringSubmatch(title(p))
		if master == nil {
			continue
		}
		file := cmp.Or(master[1], "/etc/nginx/nginx.conf")
		config := readNginx(file, filepath.Dir(file), 0)
		connections := nginxConnections.FindStringSubmatch(config)
		usesSocket := func(address string) bool {
			return strings.HasPrefix(address, "unix:") && strings.Contains(config, address)
		}
		if connections != nil && slices.ContainsFunc(c.sockets, usesSocket) {
			perWorker, _ := strconv.Atoi(connections[1]) // The pattern matches digits.
			workers := nginxWorkers(p, processes)
			c.judgeNginx(file, workers, perWorker)
		}
	}
}

func (c *checker) judgeNginx(file string, workers []procfs.Proc, connections int) {
	if len(workers) == 0 {
		return
	}
	// A browser takes two connections. Half of the room is a reserve, because workers do not share evenly.
	n := len(workers)
	room := connections * n / 4
	has := fmt.Sprintf("%d workers with %d worker_connections", n, connections)
	files, most := openFiles(workers[0]), c.config.MaxWaiting
	switch {
	case files != 0 && files < uint64(connections):
		c.warn(fmt.Sprintf("set worker_rlimit_nofile %d; in %s", 2*connections, file),
			"each worker may have %d open files, but has %d worker_connections", files, connections)
	case most > room:
		needed := (4*most + n - 1) / n
		c.warn(fmt.Sprintf("set worker_connections %d; in %s, and worker_rlimit_nofile at least as large", needed, file),
			"max_waiting is %d, but nginx has room for %d browsers at the same time (%s)", most, room, has)
	default:
		c.ok("room for %d browsers at the same time (%s)", room, has)
	}
}

// title returns what a process shows as its command line: "nginx: master process nginx -c …".
func title(p procfs.Proc) string {
	args, _ := p.CmdLine() // A process that has ended has none.
	return strings.TrimSpace(strings.Join(args, " "))
}

func nginxWorkers(master procfs.Proc, processes []procfs.Proc) (workers []procfs.Proc) {
	for _, p := range processes {
		stat, err := p.Stat()
		isWorker := strings.HasPrefix(title(p), "nginx: worker process") && !strings.Contains(title(p), "shutting down")
		if err == nil && stat.PPID == master.PID && isWorker {
			workers = append(workers, p)
		}
	}
	return workers
}

// readNginx returns the text of a configuration file and of the files that it includes, without comments.
// The names of included files are relative to the directory. Unreadable files are left out.
func readNginx(file, directory string, depth int) string {
	const maxDepth = 10 // A file may include itself.
	raw, err := os.ReadFile(file)
	if err != nil || depth > maxDepth {
		return ""
	}
	text := nginxComment.ReplaceAllString(string(raw), "$1")
	for _, match := range nginxInclude.FindAllStringSubmatch(text, -1) {
		pattern := match[1]
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(directory, pattern)
		}
		files, _ := filepath.Glob(pattern) // An invalid pattern matches nothing.
		for _, f := range files {
			text += "\n" + readNginx(f, directory, depth+1)
		}
	}
	return text
}
