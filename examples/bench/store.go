package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/pkg/errors"
)

// elsewhere is how many publications a second go to events that nobody waits for here.
const elsewhere = 20_000

// The figures of several machines on one store. The program is one comet-fcgi of two.
var shared = []figure{
	{"other_p50", "publish by URL on one → answer on the other, p50", milliseconds},
	{"other_p99", "publish by URL on one → answer on the other, p99", milliseconds},
	{"idle_events", "CPU while each waits for an event of its own", ofACore},
	{"idle_elsewhere", "the same while others are published elsewhere", ofACore},
	{"elsewhere", "published elsewhere each second", unit{"", 1, 0}},
}

// runStore measures two comet-fcgi that share a store.
func runStore(ctx context.Context, o options, stdout io.Writer) error {
	report := newReport(ctx, o)
	server, err := startRedis(ctx)
	if err != nil {
		return err
	}
	defer server.stop()
	one, err := startOn(ctx, server.address)
	if err != nil {
		return err
	}
	defer one.stop()
	other, err := startOn(ctx, server.address)
	if err != nil {
		return err
	}
	defer other.stop()
	single, many := newMeasurement(one.kind.name, 1), newMeasurement(one.kind.name, o.waiters[0])
	report.Measurements = append(report.Measurements, single, many)
	if err := measureOther(ctx, one, other, o, single); err != nil {
		return err
	}
	if err := measureElsewhere(ctx, one, server, o, many); err != nil {
		return err
	}
	printShared(stdout, report)
	if o.json == "" {
		return nil
	}
	return writeJSON(o.json, report)
}

// startOn starts a comet-fcgi on the Redis.
func startOn(ctx context.Context, redis string) (*subject, error) {
	directory, err := os.MkdirTemp("", temporary)
	if err != nil {
		return nil, errors.Wrap(err, "making a directory for the socket")
	}
	program, remove, err := build(ctx)
	if err != nil {
		os.RemoveAll(directory)
		return nil, err
	}
	socket := filepath.Join(directory, "sock")
	cmd := exec.Command(program, "--listen", "unix:"+socket)
	cmd.Env = []string{"COMET_CONFIG=/dev/null", "COMET_LOG=error", fmt.Sprintf("COMET_TRIES=%d", tries), "COMET_SLEEP=" + sleep.String(),
		"COMET_STORE=redis", "COMET_REDIS_ADDRESSES=" + redis}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // A Ctrl-C reaches this process alone.
	if err := cmd.Start(); err != nil {
		remove()
		os.RemoveAll(directory)
		return nil, errors.Wrap(err, "starting comet-fcgi")
	}
	s := &subject{kind: kinds[0], process: process(cmd.Process.Pid), dialect: fastCGI{}}
	s.dial = func() (net.Conn, error) { return net.Dial("unix", socket) }
	s.stop = func() {
		cmd.Process.Kill() // An orderly end would answer thousands first.
		cmd.Wait()
		remove()
		os.RemoveAll(directory)
	}
	const patience = time.Minute
	for end := time.Now().Add(patience); ; { // until it listens
		c, err := s.dial()
		if err == nil {
			c.Close()
			break
		}
		if time.Now().After(end) {
			s.stop()
			return nil, errors.Wrap(err, "it does not listen")
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			s.stop()
			return nil, err
		}
	}
	return s, nil
}

// measureOther measures how soon a single waiter has its answer when it is published on another machine.
func measureOther(ctx context.Context, one, other *subject, o options, m *measurement) error {
	w := &waiter{subject: one, id: event(0), cursor: "0.000000"}
	defer w.leave()
	const warmUp = 3
	for i := range warmUp + o.samples {
		latency, err := one.singleSample(w, other.publish)
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		if i >= warmUp {
			m.add("other", latency.Seconds())
		}
	}
	m.add("other_p50", m.Figures["other"].quantile(0.5))
	m.add("other_p99", m.Figures["other"].quantile(0.99))
	return nil
}

// measureElsewhere measures what waiting costs, each for an event of its own, without and with publications that concern
// nobody.
func measureElsewhere(ctx context.Context, s *subject, server *redisServer, o options, m *measurement) error {
	const settled = time.Second
	if err := pause(ctx, settled); err != nil { // Connections that are closed are counted for a moment.
		return err
	}
	var err error
	if s.files, err = s.process.files(); err != nil {
		return err
	}
	c := &crowd{subject: s}
	defer c.leave()
	for i := range m.Waiters {
		c.waiters = append(c.waiters, &waiter{subject: s, id: fmt.Sprint("waited-", i), cursor: "0.000000"})
	}
	if err := c.ask(ctx); err != nil {
		return err
	}
	if err := c.idle(ctx, o.window, m, "idle_events"); err != nil {
		return err
	}
	publishing, stop := context.WithCancel(ctx)
	defer stop()
	type result struct {
		published int
		err       error
	}
	results := make(chan result, 1)
	start := time.Now()
	go func() {
		published, err := server.publishElsewhere(publishing, elsewhere)
		results <- result{published, err}
	}()
	err = c.idle(ctx, o.window, m, "idle_elsewhere")
	stop()
	done := <-results
	m.add("elsewhere", float64(done.published)/time.Since(start).Seconds())
	if err == nil {
		err = done.err
	}
	return err
}

func printShared(w io.Writer, r *report) {
	fmt.Fprintf(w, "%s  %s\ntwo comet-fcgi on one Redis, %s\n\n", r.Date.Format(time.DateOnly), r.Machine, r.Through)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, m := range r.Measurements {
		fmt.Fprintf(table, "%-55s\t\t\t\n", fmt.Sprintf("%d waiting", m.Waiters))
		for _, f := range shared {
			if samples := m.Figures[f.key]; len(samples) > 0 {
				fmt.Fprintf(table, "%-55s\t%s\t%s\t\n", f.label, show(f, samples.median(), true), f.unit.name)
			}
		}
	}
	table.Flush()
}
