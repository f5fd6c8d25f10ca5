package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"novcomet/examples/bench/soak"
	"novcomet/examples/internal/launch"
)

// runSoak soaks, lets both judges judge the history, and prints the report. It returns an error if something
// was missed or went wrong.
func (b *bench) runSoak(ctx context.Context, stdout io.Writer) error {
	o := soak.Options{
		Server: cmp.Or(b.with, launch.Nginx), Store: cmp.Or(b.store, "files"), Pages: b.pages,
		Time: b.soak, Slack: b.slack, Disturb: b.disturb, Seed: cmp.Or(b.seed, rand.Uint64N(1_000_000)), Previous: b.baseline,
	}
	if len(o.Disturb) > 0 {
		o.Usage = usageOf
	}
	if o.Pages == 0 {
		o.Pages = 300
		if slices.Contains([]launch.Server{launch.ApacheCGI, launch.ApacheFcgid, launch.LighttpdCGI}, o.Server) {
			o.Pages = 50
		}
	}
	b.progress.show(fmt.Sprintf("starting %s, seed %d", o.Server, o.Seed))
	result, history, err := soak.Run(ctx, o, b.progress.show)
	b.progress.done()
	if err != nil {
		return fmt.Errorf("seed %d: %w", o.Seed, err)
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
	again, err := history.JudgeAgain(ctx, cmp.Or(b.history, filepath.Join(b.scratch, "history")))
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(result.Verdict, *again) {
		return fmt.Errorf("the judges disagree:\n%+v\njudge.py: %+v", result.Verdict, *again)
	}
	fmt.Fprintln(stdout, "judge.py agrees")
	if !result.Good() {
		const end = 2000
		log := result.Log[max(0, len(result.Log)-end):]
		return fmt.Errorf("something was missed or went wrong; the end of the log:\n%s", log)
	}
	return nil
}

func usageOf(pid int) (u soak.Usage, _ error) {
	const mib = 1 << 20
	memory, err := process(pid).memory()
	if err == nil {
		u.Files, err = process(pid).files()
	}
	u.MiB = memory / mib
	return u, err
}
