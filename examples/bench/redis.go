package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/pkg/errors"
	goredis "github.com/redis/go-redis/v9"

	"novcomet/examples/internal/launch"
)

// redisServer is a redis-server that the bench has started, and a client of it.
type redisServer struct {
	address string
	client  *goredis.Client
	stop    func()
}

func startRedis(ctx context.Context, directory string) (*redisServer, error) {
	port, err := launch.FreePort(0)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--dir", directory,
		"--save", "", "--appendonly", "no")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C ends only the bench, which then stops the others.
	if err := cmd.Start(); err != nil {
		return nil, errors.Wrap(err, "--store redis needs redis-server (apt install redis-server)")
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	client := goredis.NewClient(&goredis.Options{Addr: address, Protocol: 2, DisableIdentity: true})
	r := &redisServer{address: address, client: client}
	r.stop = func() {
		r.client.Close()
		cmd.Process.Kill() // It has nothing to save.
		cmd.Wait()
	}
	if err := waitUntil(ctx, 20*time.Millisecond, func() error { return r.client.Ping(ctx).Err() }); err != nil {
		r.stop()
		return nil, errors.Wrapf(err, "redis-server does not answer: %s", output.String())
	}
	return r, nil
}

// publishElsewhere publishes events that nobody waits for, until ctx ends, and returns how many. It sends the
// commands of core/store/redis' script without the script, whose CPU time would slow down what is measured at
// the same time.
func (r *redisServer) publishElsewhere(ctx context.Context, perSecond int) (published int, err error) {
	const interval, events = 5 * time.Millisecond, 1000
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for start := time.Now(); ; {
		select {
		case <-ctx.Done():
			return published, nil
		case <-tick.C:
		}
		due := int(time.Since(start).Seconds()*float64(perSecond)) - published
		due = min(due, perSecond/10) // A machine that is too slow publishes less.
		_, err := r.client.Pipelined(context.WithoutCancel(ctx), func(pipeline goredis.Pipeliner) error {
			for i := range due {
				key, stamp := fmt.Sprint("novcomet:elsewhere-", (published+i)%events), time.Now().UnixMicro()
				pipeline.HSet(ctx, key, "s", stamp)
				pipeline.Publish(ctx, key, stamp)
			}
			return nil
		})
		if err != nil {
			return published, errors.Wrap(err, "publishing other events")
		}
		published += due
	}
}
