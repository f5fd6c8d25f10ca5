package check

import (
	"context"
	"net/http"
	"strings"
)

// endpoint looks at what answers at the URL, and reports whether it is NovComet and lets the check subscribe.
func (w *web) endpoint(ctx context.Context) bool {
	const check = "URL"
	const map1 = "map the URL to NovComet: the files in examples/ for your web server do"
	a := w.now(ctx)
	html := strings.HasPrefix(a.body, "<") && !strings.HasPrefix(a.body, "<?")
	switch {
	case a.err != nil && a.took >= quick:
		w.problem(check, map1, "wait=0 was not answered within %v: an old comet.php, which always waits, or something that hangs", quick)
	case a.err != nil:
		w.problem(check, "is the web server started, and the URL right?", "%s can't be asked: %s", w.url, reason(a.err))
	case a.status == http.StatusBadGateway, a.status == http.StatusServiceUnavailable, a.status == http.StatusGatewayTimeout:
		w.problem(check, "is comet-fcgi started, and may the web server connect to its socket? comet-fcgi check on that machine, and the web server's error log, say more",
			"HTTP %d: the web server does not reach comet-fcgi", a.status)
	case a.status/100 == 3:
		w.problem(check, "check, and use in your pages, the URL that it leads to", "HTTP %d leads to %s: publications by POST and streams may not follow", a.status, a.header.Get("Location"))
	case a.Error != "" && a.status == http.StatusForbidden:
		w.warn(check, "--event names an id that may be subscribed to, if there is any for everybody", "NovComet answers, but refuses the check: %s", a.Error)
	case a.Error != "":
		w.problem(check, "the log of NovComet, or the web server's error log, says more", "HTTP %d: %s", a.status, a.Error)
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		w.problem(check, "let it in, or check from where it may", "HTTP %d: the web server does not let this machine in", a.status)
	case a.status != http.StatusOK:
		w.problem(check, map1, "HTTP %d: there is no NovComet here", a.status)
	case strings.HasPrefix(a.body, "<?"):
		w.problem(check, map1, "the source of a PHP script, and not its answer")
	case html || !a.isMap:
		w.problem(check, map1, "%s, and not NovComet", kind(a, html))
	case a.S == nil:
		w.problem(check, "COMET_STATUS is on here: give the URL of the polls", "JSON, but no answer to a poll: %.60s", a.body)
	case !w.seen(a):
		w.problem(check, map1, "an old comet.php, or whatever else does not know precise polls: %.60s", a.body)
	default:
		w.ok(check, "NovComet answers at %s, after %v", w.url, short(a.took))
		w.headers(a)
		w.clock("the web server's (Date)", dateOf(a), a.at)
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
	const leave = "leave the headers of this URL alone: no add_header, expires, Header set, or cache between"
	cache := a.header.Get("Cache-Control")
	switch {
	case !strings.Contains(cache, "no-store"):
		w.problem(check, leave, "Cache-Control is %q and not no-store: browsers and proxies may give old answers", cache)
	case !strings.HasPrefix(a.header.Get("Content-Type"), "application/json"):
		w.problem(check, leave, "Content-Type is %q and not application/json", a.header.Get("Content-Type"))
	case a.header.Get("X-Content-Type-Options") != "nosniff":
		w.warn(check, leave, "X-Content-Type-Options: nosniff is missing: browsers may take an answer for something else than JSON")
	default:
		w.ok(check, "it is as NovComet sent it")
	}
}
