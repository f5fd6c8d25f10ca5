package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pkg/errors"

	"novcomet/examples/internal/launch"
)

// The figures of a stream through a web server: one line for each, with its medians.
var through = []figure{
	{"first", "first bytes", milliseconds},
	{"touch", "touch → told", milliseconds},
	{"data", "data → told", milliseconds},
	{"gone", "left → freed", milliseconds},
}

// between is the pause between two comments here: those who pass on nothing else find out by them who has left.
const between = 500 * time.Millisecond

// checkServers checks the options for that.
func (o options) checkServers() error {
	_, err := launch.Parse(o.with)
	switch {
	case o.with != "" && err != nil:
		return errors.WithMessage(err, "--with")
	case o.samples < 1:
		return errors.New("--samples: give a number from 1")
	case o.only != "" || o.plot != "" || o.store != "":
		return errors.New("--servers: leave out --only, --store and --plot")
	}
	return nil
}

// runServers measures a stream through each web server, as the shipped files configure it.
func runServers(ctx context.Context, o options, stdout, stderr io.Writer) error {
	servers := launch.Servers()
	if o.with != "" {
		one, err := launch.Parse(o.with)
		if err != nil {
			return errors.WithMessage(err, "--with")
		}
		servers = []launch.Server{one}
	}
	r := newReport(ctx, o)
	progress := newProgress(stderr)
	for _, server := range servers {
		m := newMeasurement(string(server), 1)
		r.Measurements = append(r.Measurements, m)
		progress.show("streams through " + m.Program)
		if err := measureServer(ctx, server, o.samples, m); err != nil {
			progress.done()
			return errors.WithMessage(err, m.Program)
		}
	}
	progress.done()
	printServers(stdout, r)
	if o.json == "" {
		return nil
	}
	return writeJSON(o.json, r)
}

func measureServer(ctx context.Context, server launch.Server, samples int, m *measurement) error {
	site, err := launch.Start(ctx, launch.Options{Server: server, Settings: map[string]string{
		"stream.comment": strconv.FormatFloat(between.Seconds(), 'f', -1, 64),
	}})
	if err != nil {
		return err
	}
	defer site.Stop()
	const enough = 20 // Where a process is started for each, it takes its time.
	for range min(samples, enough) {
		r, first, err := openThrough(site, "")
		if err != nil {
			return err
		}
		r.conn.Close()
		m.add("first", first.Seconds())
	}
	if err := measureTold(ctx, site, m, "touch", "", samples, touchThrough(site)); err != nil {
		return err
	}
	if err := measureTold(ctx, site, m, "data", "data=1&", samples, writeThrough(site)); err != nil {
		return err
	}
	return measureLeaving(ctx, site, m)
}

// measureTold measures how soon a single stream is told of each publication.
func measureTold(ctx context.Context, site *launch.Site, m *measurement, key, query string, samples int, publish func(i int) error) error {
	r, _, err := openThrough(site, query)
	if err != nil {
		return err
	}
	defer r.conn.Close()
	for i := range samples {
		if err := pause(ctx, 20*time.Millisecond); err != nil { // It waits again, and each stamp is another.
			return err
		}
		start := time.Now()
		if err := publish(i); err != nil {
			return err
		}
		at, err := r.told()
		if err != nil {
			return err
		}
		m.add(key, at.Sub(start).Seconds())
	}
	return nil
}

func eventFile(site *launch.Site) string { return filepath.Join(site.Events, event(0)+".comet") }

func touchThrough(site *launch.Site) func(int) error {
	return func(int) error {
		now := time.Now()
		err := os.Chtimes(eventFile(site), now, now)
		if os.IsNotExist(err) {
			err = os.WriteFile(eventFile(site), nil, 0o664)
		}
		return errors.Wrap(err, "publishing")
	}
}

func writeThrough(site *launch.Site) func(int) error {
	return func(i int) error {
		hidden := filepath.Join(site.Events, ".new")
		if err := os.WriteFile(hidden, fmt.Appendf(nil, `{"n":%d}`, i), 0o664); err != nil {
			return errors.Wrap(err, "publishing")
		}
		return errors.Wrap(os.Rename(hidden, eventFile(site)), "publishing")
	}
}

// measureLeaving measures how long NovComet keeps a connection, or a process, for a browser that has left.
func measureLeaving(ctx context.Context, site *launch.Site, m *measurement) error {
	const leaves, patience = 3, time.Minute
	for range leaves {
		if err := pause(ctx, 5*between); err != nil { // Those before have been freed: Caddy takes four comments for that.
			return err
		}
		r, _, err := openThrough(site, "")
		if err != nil {
			return err
		}
		err = pause(ctx, between/2)
		open := openFiles()
		r.conn.Close()
		if err != nil {
			return err
		}
		start := time.Now()
		for openFiles() >= open {
			if time.Since(start) > patience {
				return errors.Errorf("a stream is still there %v after its browser has left", patience)
			}
			if err := pause(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		m.add("gone", time.Since(start).Seconds())
	}
	return nil
}

// openFiles counts those of all processes of NovComet below this one.
func openFiles() int {
	n := 0
	for _, p := range process(os.Getpid()).descendants() {
		if slices.Contains([]string{"comet-fcgi", "comet.cgi"}, p.name()) {
			files, _ := p.files() // It may have ended.
			n += files
		}
	}
	return n
}

// openThrough opens a stream as a browser does, and returns when it says where it begins, with how long its first bytes took.
func openThrough(site *launch.Site, query string) (r *reader, first time.Duration, err error) {
	start := time.Now()
	conn, err := net.Dial("tcp", strings.TrimPrefix(site.URL, "http://"))
	if err != nil {
		return nil, 0, errors.Wrap(err, "asking for a stream")
	}
	r = &reader{conn, bufio.NewReader(conn)}
	if _, err = conn.Write(overHTTP{"/comet.php"}.request(query+"subscribed["+event(0)+"]=now", aStream)); err != nil {
		conn.Close()
		return nil, 0, errors.Wrap(err, "asking for a stream")
	}
	began, err := r.line("retry: ")
	if err == nil {
		_, err = r.told()
	}
	if err != nil {
		conn.Close()
		return nil, 0, err
	}
	return r, began.Sub(start), nil
}

func printServers(w io.Writer, r *report) {
	fmt.Fprintf(w, "%s  %s\na stream through each web server, medians in %s; a comment every %v\n\n", r.Date.Format(time.DateOnly), r.Machine, milliseconds.name, between)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	var head []string
	for _, f := range through {
		head = append(head, f.label)
	}
	fmt.Fprintf(table, "\t%s\t\n", strings.Join(head, "\t"))
	for _, m := range r.Measurements {
		fmt.Fprintf(table, "%s\t", m.Program)
		for _, f := range through {
			fmt.Fprintf(table, "%s\t", show(f, m.Figures[f.key].median(), true))
		}
		fmt.Fprintln(table)
	}
	table.Flush()
}
