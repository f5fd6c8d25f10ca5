package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	pkgerrors "github.com/pkg/errors"

	"novcomet/core/servertest"
)

// inBubbleWithLog runs f in a synctest bubble with a log. since returns what was written since it was
// called last.
func inBubbleWithLog(t *testing.T, f func(t *testing.T, log *serverLog, since func() string), env ...string) {
	synctest.Test(t, func(t *testing.T) {
		out := &servertest.Output{}
		log := newServerLog(out, readSettings(t, env...).Config, false)
		seen := 0
		f(t, log, func() string {
			synctest.Wait()
			before := seen
			seen = len(out.String())
			return out.String()[before:seen]
		})
		log.close()
	})
}

func wantWritten(t *testing.T, when string, since func() string, want string) {
	t.Helper()
	if got := since(); got != want {
		t.Errorf("%s: written %q, want %q", when, got, want)
	}
}

func TestDedup_LogsAProblemOnceAndThenItsNumberEachMinute(t *testing.T) {
	inBubbleWithLog(t, func(t *testing.T, log *serverLog, since func() string) {
		for i := range 1000 {
			log.Error("cannot publish", "event", i)
			time.Sleep(10 * time.Millisecond)
		}
		wantWritten(t, "after 10 s", since, "level=ERROR msg=\"cannot publish\" event=0\n")
		time.Sleep(49999 * time.Millisecond)
		wantWritten(t, "just before the minute ends", since, "")
		time.Sleep(time.Millisecond)
		wantWritten(t, "after a minute", since, "level=ERROR msg=\"cannot publish\" event=999 times=999 within=1m0s\n")

		time.Sleep(30 * time.Second)
		log.Error("cannot publish", "event", "again")
		wantWritten(t, "in the next minute", since, "")
		time.Sleep(30 * time.Second)
		wantWritten(t, "after that minute", since,
			"level=ERROR msg=\"cannot publish\" event=again times=1 within=1m0s\n")

		time.Sleep(time.Minute)
		wantWritten(t, "after a minute without the problem", since, "")
		log.Error("cannot publish", "event", "anew")
		wantWritten(t, "when the problem returns", since, "level=ERROR msg=\"cannot publish\" event=anew\n")
	})
}

func TestDedup_GroupsByLevelMessageAndInnermostError(t *testing.T) {
	inBubbleWithLog(t, func(t *testing.T, log *serverLog, since func() string) {
		touch := func(id string, errno syscall.Errno) error {
			return pkgerrors.WithMessage(&fs.PathError{Op: "touch", Path: id + ".comet", Err: errno}, "store")
		}
		unavailable := errors.New("unavailable")
		log.Error("one")
		log.Warn("one")
		log.Error("two")
		log.Error("two", "error", touch("a", syscall.EACCES))
		log.Error("two", "error", touch("a", syscall.ENOSPC))
		log.Error("two", "error", fmt.Errorf("%w: %w", unavailable, syscall.EIO))
		log.Error("two", "panic", "index out of range")
		wantWritten(t, "at once", since, "level=ERROR msg=one\nlevel=WARN msg=one\nlevel=ERROR msg=two\n"+
			"level=ERROR msg=two error=\"store: touch a.comet: permission denied\"\n"+
			"level=ERROR msg=two error=\"store: touch a.comet: no space left on device\"\n"+
			"level=ERROR msg=two error=\"unavailable: input/output error\"\n"+
			"level=ERROR msg=two panic=\"index out of range\"\n")

		log.Error("two", "event", "b", "error", touch("b", syscall.EACCES))
		log.Error("two", "error", fmt.Errorf("%w: %w", errors.New("refused"), syscall.EIO))
		log.With("a", 1).Error("one", "b", 2)
		log.Error("two", "panic", errors.New("index out of range"))
		wantWritten(t, "the same problems with other attributes", since, "")
		log.close()
		want := []string{
			"level=ERROR msg=one a=1 b=2 times=1 within=1m0s",
			"level=ERROR msg=two event=b error=\"store: touch b.comet: permission denied\" times=1 within=1m0s",
			"level=ERROR msg=two error=\"refused: input/output error\" times=1 within=1m0s",
			"level=ERROR msg=two panic=\"index out of range\" times=1 within=1m0s",
		}
		got := since()
		for _, line := range want {
			if !strings.Contains(got, line+"\n") {
				t.Errorf("at the end: %q has no line %q", got, line)
			}
		}
		if strings.Count(got, "\n") != len(want) {
			t.Errorf("at the end: %q, want %d lines", got, len(want))
		}
		time.Sleep(time.Hour)
		wantWritten(t, "later", since, "")
	})
}

func TestDedup_GroupsNeitherInfoNorVerbatimLines(t *testing.T) {
	inBubbleWithLog(t, func(t *testing.T, log *serverLog, since func() string) {
		for range 2 {
			log.Info("store reachable again")
			log.Debug("refused")
			log.verbatim.Error("reload failed")
		}
		once := "level=INFO msg=\"store reachable again\"\nlevel=DEBUG msg=refused\nlevel=ERROR msg=\"reload failed\"\n"
		wantWritten(t, "at once", since, once+once)
	}, "COMET_LOG=debug")
}

func TestDedup_GroupsByMessageAloneWhenThereAreTooManyCauses(t *testing.T) {
	inBubbleWithLog(t, func(t *testing.T, log *serverLog, since func() string) {
		for i := range 3 * maxGroups {
			log.Error("it broke", "error", fmt.Errorf("cause %d", i))
		}
		if n, want := strings.Count(since(), "\n"), maxGroups+1; n != want {
			t.Errorf("%d lines at once, want %d", n, want)
		}
		time.Sleep(dedupPeriod)
		wantWritten(t, "after a minute", since,
			fmt.Sprintf("level=ERROR msg=\"it broke\" error=\"cause %d\" times=%d within=1m0s\n",
				3*maxGroups-1, 2*maxGroups-1))
	})
}

func TestDedup_LogsEachProblemWhenThereAreTooManyMessages(t *testing.T) {
	inBubbleWithLog(t, func(t *testing.T, log *serverLog, since func() string) {
		for range 2 {
			for i := range 3 * maxGroups {
				log.Error(fmt.Sprint("problem ", i))
			}
		}
		if n, want := strings.Count(since(), "\n"), 4*maxGroups; n != want {
			t.Errorf("%d lines, want %d", n, want)
		}
		if n := len(log.dedup.groups); n != 2*maxGroups {
			t.Errorf("%d groups, want %d", n, 2*maxGroups)
		}
	})
}

func TestDedup_CountsTheOccurrencesOfAllGoroutines(t *testing.T) {
	inBubbleWithLog(t, func(t *testing.T, log *serverLog, since func() string) {
		var workers sync.WaitGroup
		for i := range 50 {
			workers.Go(func() { log.With(slog.Int("worker", i)).Error("it broke") })
		}
		workers.Wait()
		log.close()
		lines := strings.Split(strings.TrimSpace(since()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[1], "times=49") {
			t.Errorf("written: %q", lines)
		}
	})
}
