package soak

import (
	"context"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/pkg/errors"
)

// cut is the kind of a connection that is reset in the middle of an answer.
const cut = "cut"

// ofWebServer are the disturbances of the web server, and of the network between it and the pages.
func (s *soak) ofWebServer() []disturbance {
	const group = "web server"
	var all []disturbance
	if s.options.Server.Reloads() {
		all = append(all, disturbance{"reload", group, 0, func(context.Context, *rand.Rand, *disturbed) (func() error, error) {
			return nil, s.site.Reload()
		}})
	}
	worker := func(r *rand.Rand, d *disturbed) (int, error) {
		workers := s.site.WorkerPIDs()
		if len(workers) == 0 {
			return 0, errors.New("the web server has no worker")
		}
		pid := workers[r.IntN(len(workers))]
		d.Target = strconv.Itoa(pid)
		return pid, nil
	}
	return append(all,
		disturbance{"stop worker", group, 20 * time.Second, func(_ context.Context, r *rand.Rand, d *disturbed) (func() error, error) {
			pid, err := worker(r, d)
			if err != nil {
				return nil, err
			}
			return freeze(pid)
		}},
		disturbance{"worker descriptors", group, 5 * time.Second, func(_ context.Context, r *rand.Rand, d *disturbed) (func() error, error) {
			pid, err := worker(r, d)
			if err != nil {
				return nil, err
			}
			return takeDescriptors(pid, r.IntN(8))
		}},
		disturbance{cut, "network", 5 * time.Second, func(_ context.Context, r *rand.Rand, _ *disturbed) (func() error, error) {
			const longest = 300 // The header of an answer has some 200 bytes.
			s.proxy.Tear(r.IntN(longest))
			return func() error { s.proxy.Tear(-1); return nil }, nil
		}},
	)
}
