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
		{stopWorker, group, 20 * time.Second, func(o occurrence) (stop, error) {
			return freeze(s.worker(o))
		}},
		{"worker descriptors", group, 5 * time.Second, func(o occurrence) (stop, error) {
			return takeDescriptors(s.worker(o), o.random.IntN(8))
		}},
		{cut, "network", 5 * time.Second, func(o occurrence) (stop, error) {
			const longest = 300 // The header of an answer has some 200 bytes.
			s.proxy.Tear(o.random.IntN(longest))
			return then(func() { s.proxy.Tear(-1) })
		}},
	}
	if s.options.Server.Reloads() {
		all = append(all, disturbance{"reload", group, 0, func(occurrence) (stop, error) { return nil, s.site.Reload() }})
	}
	return all
}

// worker chooses a process of the web server.
func (s *soak) worker(o occurrence) (pid int) {
	workers := s.site.WorkerPIDs()
	pid = workers[o.random.IntN(len(workers))]
	o.Target = strconv.Itoa(pid)
	return pid
}
