package check

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// settle is the time in which a poll reaches NovComet.
const settle = 300 * time.Millisecond

const freeConnections = "raise max_waiting and the limit of open files, or try again when fewer browsers wait"

// checkConcurrency tests whether a poll is answered while the long poll waits.
func (c *checker) checkConcurrency(ctx context.Context, long *longPoll) bool {
	c.topic = "delivery"
	const soon = 3 * time.Second // enough on a busy machine
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return false
	}
	a := c.client.poll(ctx, c.id.String())
	blocked := a.took > max(soon, (long.expected-settle)*8/10) && len(long.answer) > 0
	if a.err != nil || !c.keepCursor(a) || blocked {
		c.problem("allow more workers or processes for this URL "+
			"(FcgidMaxProcessesPerClass, max-procs, MaxRequestWorkers, worker_connections), and remove locks around it",
			"while one poll waits, another is not answered: %v", a)
		return false
	}
	c.ok("while one poll waits, others are answered after %v", round(a.took))
	return true
}

// checkWakeup measures how soon a waiting poll is answered after a publication. It reports the best of
// three rounds.
func (c *checker) checkWakeup(ctx context.Context) {
	c.topic = "delivery"
	const rounds, late = 3, time.Second
	best := time.Hour
	for n := 0; n < rounds && best >= late; n++ {
		took, ok := c.publishToPoll(ctx)
		if !ok {
			return
		}
		best = min(best, took)
	}
	storeNotifies := c.config.Store == "redis" || c.config.Store == "files" && c.config.File.Notify
	if best < late || !storeNotifies {
		c.ok("a poll is answered %v after a publication", round(best))
		return
	}
	c.warn("see inotify above, and run the check on the machine of comet-fcgi; "+
		"until then publications are noticed up to one sleep late",
		"a poll is answered only %v after a publication", round(best))
}

// publishToPoll publishes while a poll waits, and returns after which time the poll was answered with the
// publication.
func (c *checker) publishToPoll(ctx context.Context) (took time.Duration, ok bool) {
	timeout := c.deliveryTimeout(10 * time.Second)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan answer, 1)
	go func() { answers <- c.client.get(ctx, timeout, pollQuery(c.id.String(), c.cursor)) }()
	select {
	case a := <-answers:
		c.judgeEarlyAnswer(a)
		return 0, false
	case <-time.After(settle):
	}
	begin, err := c.publish(ctx)
	if err != nil {
		c.problem("read the log", "a publication failed: %v", err)
		return 0, false
	}
	a := <-answers
	switch {
	case a.err != nil:
		c.problem("see inotify, store and cache above",
			"no poll is answered within %v after a publication: %s", timeout, a.err)
		return 0, false
	case a.S == nil || *a.S != 1 || !c.keepCursor(a):
		c.problem("see directory and store above, "+
			"and use --config with the settings file of the comet-fcgi behind the URL",
			"a poll does not get the publication: %v", a)
		return 0, false
	}
	return time.Since(begin), true
}

// judgeEarlyAnswer reports a poll that was answered before the publication.
func (c *checker) judgeEarlyAnswer(a answer) {
	switch {
	case a.err != nil:
		c.problem("read the web server's error log", "a poll does not wait: %s", a.err)
	case a.S != nil && *a.S == 1:
		c.warn("use --event with another id", "another program publishes %s", c.id)
	default:
		c.problem(freeConnections, "a poll is answered at once: max_waiting is reached: %v", a)
	}
}

// deliveryTimeout returns how long a delivery may take: this time, and one sleep in case the store does
// not notify.
func (c *checker) deliveryTimeout(immediate time.Duration) time.Duration {
	return immediate + c.config.Sleep
}

// checkCache sends the same poll before and after a publication. It reports whether the publication is
// seen.
func (c *checker) checkCache(ctx context.Context) bool {
	c.topic = "cache"
	const disable = "switch the cache off for this URL: proxy_cache, fastcgi_cache, CacheDisable, " +
		"or the rules of the content delivery network"
	id := c.id.String()
	before := c.client.poll(ctx, id)
	_, err := c.publish(ctx)
	after := c.client.poll(ctx, id)
	if err != nil || before.err != nil || after.err != nil || !c.keepCursor(after) {
		c.problem("read the web server's error log", "some requests fail: %v; %v; %v", err, before, after)
		return false
	}
	age, _ := strconv.Atoi(after.header.Get("Age"))
	switch {
	case after.At[id] != before.At[id] && age > 0:
		c.problem(disable, "an answer is %d s old (Age)", age)
	case after.At[id] != before.At[id]:
		c.ok("answers are fresh")
	default:
		// A cache has no answer to a query that nobody has sent before.
		unique := fmt.Sprintf("%s&%d", immediateQuery(id), time.Now().UnixNano())
		fresh := c.client.get(ctx, quick, unique)
		if fresh.err != nil || fresh.At[id] == before.At[id] || !c.keepCursor(fresh) {
			c.topic = "delivery"
			c.problem("use --config with the settings file of the comet-fcgi behind the URL",
				"a publication is not seen through the URL")
			return false
		}
		c.problem(disable, "a poll gets the same answer after a publication: a cache keeps answers")
	}
	return true
}
