package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/pkg/errors"
	goredis "github.com/redis/go-redis/v9"
)

// redisServer is a redis-server of our own, with a client of it.
type redisServer struct {
	address string
	client  *goredis.Client
	stop    func()
}

func startRedis(ctx context.Context) (*redisServer, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errors.Wrap(err, "--store redis needs it (apt install redis-server)")
	}
	directory, err := os.MkdirTemp("", temporary)
	if err != nil {
		return nil, errors.Wrap(err, "making a directory for Redis")
	}
	address, err := freeAddress()
	if err != nil {
		os.RemoveAll(directory)
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command(program, "--bind", "127.0.0.1", "--port", port, "--dir", directory, "--save", "", "--appendonly", "no")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // A Ctrl-C reaches this process alone.
	if err := cmd.Start(); err != nil {
		os.RemoveAll(directory)
		return nil, errors.Wrap(err, "starting redis-server")
	}
	r := &redisServer{address: address, client: goredis.NewClient(&goredis.Options{Addr: address, Protocol: 2, DisableIdentity: true})}
	r.stop = func() {
		r.client.Close()
		cmd.Process.Kill() // There is nothing to be saved.
		cmd.Wait()
		os.RemoveAll(directory)
	}
	const patience = time.Minute
	for end := time.Now().Add(patience); r.client.Ping(ctx).Err() != nil; {
		if err := pause(ctx, 20*time.Millisecond); err != nil || time.Now().After(end) {
			r.stop()
			return nil, errors.Errorf("redis-server does not answer: %s", said.String())
		}
	}
	return r, nil
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", errors.Wrap(err, "looking for a port")
	}
	defer listener.Close()
	return fmt.Sprint(listener.Addr()), nil
}

// publishElsewhere publishes so many a second, to events that nobody waits for, until ctx ends, and returns how many it were. It
// sends what the script of core/redis does, without the script, which would take Redis the CPU time that it measures beside.
func (r *redisServer) publishElsewhere(ctx context.Context, rate int) (published int, err error) {
	const often, events = 5 * time.Millisecond, 1000
	tick := time.NewTicker(often)
	defer tick.Stop()
	for start := time.Now(); ; {
		select {
		case <-ctx.Done():
			return published, nil
		case <-tick.C:
		}
		due := int(time.Since(start).Seconds()*float64(rate)) - published
		_, err := r.client.Pipelined(context.WithoutCancel(ctx), func(pipeline goredis.Pipeliner) error {
			for i := range min(due, rate/10) { // Where it can't keep up, it does as much as it can.
				key, stamp := fmt.Sprint("novcomet:elsewhere-", (published+i)%events), time.Now().UnixMicro()
				pipeline.HSet(ctx, key, "s", stamp)
				pipeline.Publish(ctx, key, stamp)
			}
			return nil
		})
		if err != nil {
			return published, errors.Wrap(err, "publishing elsewhere")
		}
		published += min(due, rate/10)
	}
}
