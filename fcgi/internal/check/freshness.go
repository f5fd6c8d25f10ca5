package check

import (
	"context"
	"strconv"
	"time"
)

// freshness looks at whether an answer is of this moment: the same question is asked before and after a publication.
// It reports whether publications come through at all.
func (w *web) freshness(ctx context.Context) bool {
	const check = "cache"
	const none = "switch the cache off for this URL: proxy_cache, fastcgi_cache, CacheDisable, or the rules of the content delivery network"
	before := w.now(ctx)
	published, err := w.publish(ctx)
	after := w.now(ctx)
	if err != nil || before.err != nil || after.err != nil || !w.seen(after) {
		w.problem(check, "read the web server's error log", "some requests fail: %v, HTTP %d and %d", err, before.status, after.status)
		return false
	}
	id := w.id.String()
	age, _ := strconv.Atoi(after.header.Get("Age"))
	switch {
	case after.At[id] == before.At[id] && !w.another(ctx, before):
		w.problem("delivery", "use --config with the settings file of the comet-fcgi behind the URL",
			"a publication is not seen through the URL")
		return false
	case after.At[id] == before.At[id]:
		w.problem(check, none, "the same request gets the same answer after a publication: a cache keeps answers%s", kept(after))
	case age > 0:
		w.problem(check, none, "an answer is %d s old (Age)", age)
	default:
		w.ok(check, "answers are fresh")
		w.clock("the store's clock", timeOf(after.At[id]), published)
	}
	return true
}

// another reports whether the same question, in other words that no cache knows, gets another answer.
func (w *web) another(ctx context.Context, before answer) bool {
	a := w.ask(ctx, quick, subscription(w.id.String(), "now")+"&wait=0&"+strconv.FormatInt(time.Now().UnixNano(), 10))
	return a.err == nil && a.At[w.id.String()] != before.At[w.id.String()] && w.seen(a)
}

// kept tells who says that he keeps answers.
func kept(a answer) string {
	for _, name := range []string{"X-Cache", "X-Cache-Status", "Cf-Cache-Status", "X-Proxy-Cache", "Via"} {
		if value := a.header.Get(name); value != "" {
			return " (" + name + ": " + value + ")"
		}
	}
	return ""
}
