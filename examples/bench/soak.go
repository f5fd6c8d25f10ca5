package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"

	"novcomet/examples/bench/soak"
	"novcomet/examples/internal/launch"
)

// checkSoak checks the options of a soak.
func (o options) checkSoak() error {
	_, err := launch.Parse(o.with)
	switch {
	case o.soak < 2*time.Second:
		return errors.New("--soak: give a duration from 2s")
	case o.pages != 0 && o.pages < 2:
		return errors.New("--pages: give a number from 2")
	case o.slack < 0:
		return errors.New("--slack: give a duration from 0s")
	case o.with != "" && err != nil:
		return errors.WithMessage(err, "--with")
	case o.only != "" || o.plot != "":
		return errors.New("--soak measures nothing: leave out --only and --plot")
	}
	return o.fits("--pages", o.pages)
}

func servers() string {
	var names []string
	for _, server := range launch.Servers() {
		names = append(names, string(server))
	}
	return strings.Join(names, ", ")
}

// runSoak soaks, and prints what it has shown; anything that was not as it should be is an error.
func runSoak(ctx context.Context, o options, stdout, stderr io.Writer) error {
	how := soak.Options{Server: launch.Nginx, Pages: o.pages, Time: o.soak, Slack: o.slack}
	if o.with != "" {
		var err error
		if how.Server, err = launch.Parse(o.with); err != nil {
			return err
		}
	}
	if how.Pages == 0 {
		how.Pages = 300
		if slices.Contains([]launch.Server{launch.ApacheCGI, launch.ApacheFcgid, launch.LighttpdCGI}, how.Server) {
			how.Pages = 50
		}
	}
	progress := newProgress(stderr)
	progress.show("starting " + string(how.Server))
	result, err := soak.Run(ctx, how, progress.show)
	progress.done()
	if err != nil {
		return err
	}
	r := newReport(ctx, o)
	fmt.Fprintf(stdout, "%s  %s\n", r.Date.Format(time.DateOnly), r.Machine)
	result.Print(stdout)
	if o.json != "" {
		figures := struct {
			Date    time.Time `json:"date"`
			Commit  string    `json:"commit,omitempty"`
			Machine string    `json:"machine"`
			*soak.Report
		}{r.Date, r.Commit, r.Machine, result}
		if err := writeJSON(o.json, figures); err != nil {
			return err
		}
	}
	if !result.Good() {
		const enough = 2000
		return errors.Errorf("something was missed, or went wrong; the end of the log:\n%s", result.Log[max(0, len(result.Log)-enough):])
	}
	return nil
}
