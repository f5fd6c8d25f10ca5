package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pkg/errors"

	"novcomet/examples/internal/launch"
)

// commentInterval is the interval of the comments in a stream here. Several web servers notice only by a
// comment that a browser has left.
const commentInterval = 500 * time.Millisecond

// measureServers measures a stream through each web server, with the files in examples.
func (b *bench) measureServers(ctx context.Context) error {
	servers := launch.Servers()
	if b.with != "" {
		servers = []launch.Server{b.with}
	}
	table := fmt.Sprintf("a stream, a comment every %v", commentInterval)
	for _, server := range servers {
		m := b.report.add(table, string(server), 1, serverFigures)
		b.show(m, "measuring")
		if err := b.measureServer(ctx, server, m); err != nil {
			return fmt.Errorf("%s: %w", m.Program, err)
		}
	}
	return nil
}

func (b *bench) measureServer(ctx context.Context, server launch.Server, m *measurement) error {
	s := &subject{name: string(server)}
	defer s.stop()
	site, err := s.startSite(ctx, launch.Options{Server: server, Settings: map[string]string{
		"stream.comment": strconv.FormatFloat(commentInterval.Seconds(), 'f', -1, 64),
	}}, "/comet.php")
	if err != nil {
		return err
	}
	s.directory = site.Events
	if err := s.createEvents(1); err != nil {
		return err
	}
	const few, leaves = 20, 3 // Starting a process for each stream takes long.
	for range min(b.samples, few) {
		c := &client{subject: s, stream: true, id: event(0), cursor: "now"}
		start := time.Now()
		err := c.poll()
		c.leave()
		if err != nil {
			return err
		}
		m.add("first", c.begun.Sub(start).Seconds())
	}
	for _, way := range []struct {
		key, options string
		publish      func() error
	}{
		{"touch", "", func() error { return s.touch(event(0)) }},
		{"data", "data=1&", s.replaceData},
	} {
		c := &client{subject: s, stream: true, options: way.options, id: event(0), cursor: "now"}
		latencies, err := c.samples(ctx, b.samples, time.Millisecond, way.publish)
		c.leave()
		if err != nil {
			return err
		}
		m.Figures[way.key] = latencies
	}
	for range leaves {
		if err := s.measureFreed(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// replaceData publishes data by renaming a new file.
func (s *subject) replaceData() error {
	temporary := filepath.Join(s.directory, ".new")
	err := os.WriteFile(temporary, fmt.Append(nil, time.Now().UnixNano()), 0o664)
	if err == nil {
		err = os.Rename(temporary, s.file(event(0)))
	}
	return errors.Wrap(err, "publishing data")
}

// measureFreed measures how long NovComet keeps a connection, or a process, after the browser has left.
func (s *subject) measureFreed(ctx context.Context, m *measurement) error {
	const freed = 5 * commentInterval // The streams before are freed by then; Caddy needs four comments.
	if err := launch.Sleep(ctx, freed); err != nil {
		return err
	}
	c := &client{subject: s, stream: true, id: event(0), cursor: "now"}
	defer c.leave()
	if err := c.poll(); err != nil {
		return err
	}
	if err := launch.Sleep(ctx, commentInterval/2); err != nil {
		return err
	}
	open := openFiles()
	return measureLeaving(ctx, m, time.Minute, c.leave, func() (int, error) { return openFiles() - open + 1, nil })
}

// openFiles counts the open files of all processes of NovComet.
func openFiles() (n int) {
	for _, p := range descendants(cometFCGI, "comet.cgi") {
		files, _ := p.files() // The process may have ended.
		n += files
	}
	return n
}
