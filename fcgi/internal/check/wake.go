package check

import (
	"context"
	"fmt"
	"time"
)

// wakes looks at whether a publication wakes a poll that waits, how soon, and whether others are served meanwhile.
func (w *web) wakes(ctx context.Context) {
	const check = "delivery"
	const rounds = 3
	const late = time.Second
	best := time.Duration(-1)
	for range rounds {
		took, ok := w.wake(ctx)
		if !ok {
			return
		}
		if best < 0 || took < best {
			best = took
		}
		if best < late {
			break
		}
	}
	if best < late || w.known && !w.tells() {
		w.ok(check, "a poll is answered %v after a publication", short(best))
		return
	}
	w.warn(check, "see inotify above, and run the check on the machine of comet-fcgi; until then publications are noticed up to one sleep late",
		"a poll is answered only %v after a publication", short(best))
}

// tells reports whether the store is one that tells of changes.
func (w *web) tells() bool {
	return w.config.Store != "memcached" && (w.config.Store != "files" || w.config.File.Notify)
}

// wake lets a poll wait, and publishes. ok means that the poll was answered with it.
func (w *web) wake(ctx context.Context) (took time.Duration, ok bool) {
	const check = "delivery"
	longest := w.longest(10 * time.Second)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	poll := make(chan answer, 1)
	go func() { poll <- w.ask(ctx, longest, subscription(w.id.String(), w.cursor)) }()
	select {
	case a := <-poll:
		w.early(a)
		return 0, false
	case <-time.After(settle):
	}
	begin, err := w.publish(ctx)
	if err != nil {
		w.problem(check, "read the log", "a publication failed: %v", err)
		return 0, false
	}
	a := <-poll
	switch {
	case a.err != nil:
		w.problem(check, "see inotify, store and cache above", "no poll is answered within %v after a publication: %s", longest, reason(a.err))
		return 0, false
	case a.S == nil || *a.S != 1 || !w.seen(a):
		w.problem(check, "see directory and store above, and use --config with the settings file of the comet-fcgi behind the URL", "a poll does not get the publication: HTTP %d %.80s", a.status, a.body)
		return 0, false
	}
	return time.Since(begin), true
}

// settle is the time that a poll is given to arrive.
const settle = 300 * time.Millisecond

// together looks at whether others are served while a poll waits, which it does already.
func (w *web) together(ctx context.Context, long *long) bool {
	const check = "delivery"
	const soon = 3 * time.Second // also on a machine that has a lot to do
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return false
	}
	a := w.now(ctx)
	switch {
	case a.err != nil, !w.seen(a), a.took > max(soon, (long.expected-settle)*8/10) && long.over():
		w.problem(check, "allow more workers or processes for this URL (FcgidMaxProcessesPerClass, max-procs, MaxRequestWorkers, worker_connections), and remove locks around it",
			"while one poll waits, another is not answered: %s", became(a))
		return false
	default:
		w.ok(check, "while one poll waits, others are answered after %v", short(a.took))
		return true
	}
}

// became is what came of a question.
func became(a answer) string {
	if a.err != nil {
		return reason(a.err)
	}
	return fmt.Sprintf("HTTP %d %.60s after %v", a.status, a.body, short(a.took))
}

// early judges a poll that was answered before anything was published.
func (w *web) early(a answer) {
	const check = "delivery"
	switch {
	case a.err != nil:
		w.problem(check, "read the web server's error log", "a poll does not wait: %s", reason(a.err))
	case a.S != nil && *a.S == 1:
		w.warn(check, "use --event with another id", "another program publishes %s", w.id)
	default:
		w.problem(check, "raise max_waiting and the limit of open files, or try again when fewer browsers wait", "a poll is answered at once with HTTP %d %.80s: max_waiting is reached", a.status, a.body)
	}
}

// longest is how long to wait for what should come at once, and at the latest at the next look.
func (w *web) longest(atOnce time.Duration) time.Duration {
	if w.known {
		return atOnce + w.config.Sleep
	}
	return atOnce + 2*time.Second
}
