package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/pkg/errors"

	"novcomet/examples/bench/soak"
	"novcomet/examples/internal/launch"
)

// runSoak soaks and prints the report. It returns an error if something was missed or went wrong.
func (b *bench) runSoak(ctx context.Context, stdout io.Writer) error {
	o := soak.Options{Server: launch.Nginx, Pages: b.pages, Time: b.soak, Slack: b.slack}
	if b.with != "" {
		var err error
		if o.Server, err = launch.Parse(b.with); err != nil {
			return err
		}
	}
	if o.Pages == 0 {
		o.Pages = 300
		if slices.Contains([]launch.Server{launch.ApacheCGI, launch.ApacheFcgid, launch.LighttpdCGI}, o.Server) {
			o.Pages = 50
		}
	}
	b.progress.show("starting " + string(o.Server))
	result, err := soak.Run(ctx, o, b.progress.show)
	b.progress.done()
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s  %s\n", b.report.Date.Format(time.DateOnly), b.report.Machine)
	result.Print(stdout)
	if b.json != "" {
		figures := struct {
			Date    time.Time `json:"date"`
			Commit  string    `json:"commit,omitempty"`
			Machine string    `json:"machine"`
			*soak.Report
		}{b.report.Date, b.report.Commit, b.report.Machine, result}
		if err := writeJSON(b.json, figures); err != nil {
			return err
		}
	}
	if !result.Good() {
		const end = 2000
		log := result.Log[max(0, len(result.Log)-end):]
		return errors.Errorf("something was missed or went wrong; the end of the log:\n%s", log)
	}
	return nil
}
