package check

import (
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"time"
)

// checkURL judges the answer to a poll that does not wait. It reports whether NovComet answers and lets the
// check subscribe.
func (c *checker) checkURL(a answer) bool {
	c.topic = "URL"
	const mapURL = "map the URL to NovComet, as the files in examples/ do"
	invalid := new(tls.CertificateVerificationError)
	switch {
	case errors.As(a.err, &invalid):
		c.problem("correct the certificate, or use a host name of the certificate", "%v", invalid)
	case a.err != nil && a.took >= quick:
		c.problem(mapURL, "a poll with wait=0 was not answered within %v: "+
			"this is an old comet.php, which always waits, or a program that hangs", quick)
	case a.err != nil:
		c.problem("start the web server, or correct the URL", "%s does not answer: %s", c.client.url, a.err)
	case 502 <= a.status && a.status <= 504:
		c.problem("start comet-fcgi, and let the web server connect (SocketGroup or socket.group: the web server's group); "+
			"run comet-fcgi check on that machine, and read the web server's error log",
			"HTTP %d: the web server does not reach comet-fcgi", a.status)
	case a.status/100 == 3:
		c.problem("use the URL that it leads to, for the check and in your pages",
			"HTTP %d leads to %s: publications by POST and streams may not follow it", a.status, a.header.Get("Location"))
	case a.Error != "" && a.status == http.StatusForbidden:
		c.warn("use --event with an id that everybody may subscribe to",
			"NovComet answers, but refuses the check: %s", a.Error)
	case a.Error != "":
		c.problem("read NovComet's log or the web server's error log", "HTTP %d: %s", a.status, a.Error)
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		c.problem("allow this machine, or run the check on a machine that is allowed",
			"HTTP %d: the web server does not let this machine in", a.status)
	case a.status != http.StatusOK:
		c.problem(mapURL, "HTTP %d: NovComet does not answer here", a.status)
	case strings.HasPrefix(a.body, "<?"):
		c.problem(mapURL, "the answer is the source of a PHP script")
	case strings.HasPrefix(a.body, "<"):
		c.problem(mapURL, "the answer is an HTML page, not NovComet's")
	case !a.isJSON:
		c.problem(mapURL, "the answer is something else, not NovComet's")
	case a.S == nil:
		c.problem("use the URL of the polls; at this one COMET_STATUS is on",
			"the answer is JSON, but does not answer a poll: %.60s", a.body)
	case !c.keepCursor(a):
		c.problem(mapURL, "this is an old comet.php, or another program that does not know precise polls: %.60s", a.body)
	default:
		c.ok("NovComet answers at %s, after %v", c.client.url, round(a.took))
		c.checkHeader(a.header)
		c.checkDate(a)
		return true
	}
	return false
}

// keepCursor takes over the cursor of an answer, and reports whether it has one.
func (c *checker) keepCursor(a answer) bool {
	cursor, ok := a.At[c.id.String()]
	if ok {
		c.cursor = cursor
	}
	return ok
}

// checkHeader tests whether the web server changed the header of an answer.
func (c *checker) checkHeader(header http.Header) {
	c.topic = "header"
	const leave = "remove what changes the headers of this URL: add_header, expires, Header set, or a cache"
	cache, contentType := header.Get("Cache-Control"), header.Get("Content-Type")
	switch {
	case !strings.Contains(cache, "no-store"):
		c.problem(leave, "Cache-Control is %q and not no-store: browsers and proxies may use old answers", cache)
	case !strings.HasPrefix(contentType, "application/json"):
		c.problem(leave, "Content-Type is %q and not application/json", contentType)
	case header.Get("X-Content-Type-Options") != "nosniff":
		c.warn(leave, "X-Content-Type-Options: nosniff is missing: browsers may treat an answer as something other than JSON")
	default:
		c.ok("the headers are as NovComet sent them")
	}
}

// checkDate compares the web server's clock with this machine's.
func (c *checker) checkDate(a answer) {
	const tolerance = 2 * time.Second // Legacy clients may differ as much.
	date, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		return
	}
	date = date.Add(500 * time.Millisecond) // Date has whole seconds.
	c.checkClock("the web server's clock (Date)", date.Sub(a.sent.Add(a.took/2)), tolerance)
}
