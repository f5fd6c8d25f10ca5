package soak

import (
	"strconv"
	"time"
)

const (
	cut        = "cut"         // Connections are reset in the middle of an answer.
	stopWorker = "stop worker" // A process of the web server is stopped.
)

// ofWebServer are the disturbances of the web server, and of the network between it and the pages.
func (s *soak) ofWebServer() []disturbance {
	const group = "web server"
	all := []disturbance{
		{stopWorker, group, 20 * time.Second, func(t turn) (stop, error) {
			return freeze(s.worker(t))
		}},
		{"worker descriptors", group, 5 * time.Second, func(t turn) (stop, error) {
			return takeDescriptors(s.worker(t), t.random.IntN(8))
		}},
		{cut, "network", 5 * time.Second, func(t turn) (stop, error) {
			const longest = 300 // The header of an answer has some 200 bytes.
			s.proxy.Tear(t.random.IntN(longest))
			return then(func() { s.proxy.Tear(-1) })
		}},
	}
	if s.options.Server.Reloads() {
		all = append(all, disturbance{"reload", group, 0, func(turn) (stop, error) { return nil, s.site.Reload() }})
	}
	return all
}

// worker chooses a process of the web server.
func (s *soak) worker(t turn) (pid int) {
	workers := s.site.WorkerPIDs()
	pid = workers[t.random.IntN(len(workers))]
	t.Target = strconv.Itoa(pid)
	return pid
}
