package check

import (
	"context"
	"net/http"
	"strings"
)

// endpoint looks at what answers at the URL, and reports whether it is NovComet and lets the check subscribe.
func (w *web) endpoint(ctx context.Context) bool {
	const check = "URL"
	const map1 = "map the URL to NovComet, as the files in examples/ do"
	a := w.now(ctx)
	html := strings.HasPrefix(a.body, "<") && !strings.HasPrefix(a.body, "<?")
	switch {
	case a.err != nil && a.took >= quick:
		w.problem(check, map1, "a poll with wait=0 was not answered within %v: this is an old comet.php, which always waits, or a program that hangs", quick)
	case a.err != nil:
		w.problem(check, "start the web server, or correct the URL", "%s does not answer: %s", w.url, reason(a.err))
	case a.status == http.StatusBadGateway, a.status == http.StatusServiceUnavailable, a.status == http.StatusGatewayTimeout:
		w.problem(check, "start comet-fcgi, and let the web server connect to its socket; run comet-fcgi check on that machine, and read the web server's error log",
			"HTTP %d: the web server does not reach comet-fcgi", a.status)
	case a.status/100 == 3:
		w.problem(check, "use the URL that it leads to, for the check and in your pages", "HTTP %d leads to %s: publications by POST and streams may not follow it", a.status, a.header.Get("Location"))
	case a.Error != "" && a.status == http.StatusForbidden:
		w.warn(check, "use --event with an id that everybody may subscribe to", "NovComet answers, but refuses the check: %s", a.Error)
	case a.Error != "":
		w.problem(check, "read NovComet's log or the web server's error log", "HTTP %d: %s", a.status, a.Error)
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		w.problem(check, "allow this machine, or run the check on a machine that is allowed", "HTTP %d: the web server does not let this machine in", a.status)
	case a.status != http.StatusOK:
		w.problem(check, map1, "HTTP %d: NovComet does not answer here", a.status)
	case strings.HasPrefix(a.body, "<?"):
		w.problem(check, map1, "the answer is the source of a PHP script")
	case html || !a.isMap:
		w.problem(check, map1, "the answer is %s, not NovComet's", kind(a, html))
	case a.S == nil:
		w.problem(check, "use the URL of the polls; at this one COMET_STATUS is on", "the answer is JSON, but does not answer a poll: %.60s", a.body)
	case !w.seen(a):
		w.problem(check, map1, "this is an old comet.php, or another program that does not know precise polls: %.60s", a.body)
	default:
		w.ok(check, "NovComet answers at %s, after %v", w.url, short(a.took))
		w.headers(a)
		w.clock("the web server's clock (Date)", dateOf(a), a.at)
		return true
	}
	return false
}

func kind(a answer, html bool) string {
	if html {
		return "an HTML page"
	}
	return "something else"
}

// headers looks at whether the answer's header is as NovComet sent it.
func (w *web) headers(a answer) {
	const check = "header"
	const leave = "remove what changes the headers of this URL: add_header, expires, Header set, or a cache"
	cache := a.header.Get("Cache-Control")
	switch {
	case !strings.Contains(cache, "no-store"):
		w.problem(check, leave, "Cache-Control is %q and not no-store: browsers and proxies may use old answers", cache)
	case !strings.HasPrefix(a.header.Get("Content-Type"), "application/json"):
		w.problem(check, leave, "Content-Type is %q and not application/json", a.header.Get("Content-Type"))
	case a.header.Get("X-Content-Type-Options") != "nosniff":
		w.warn(check, leave, "X-Content-Type-Options: nosniff is missing: browsers may treat an answer as something other than JSON")
	default:
		w.ok(check, "the headers are as NovComet sent them")
	}
}
