package check

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// checkURL judges the answer to a poll that does not wait. It reports whether NovComet answers and lets the
// check subscribe.
func (c *checker) checkURL(ctx context.Context) bool {
	c.topic = "URL"
	const mapURL = "map the URL to NovComet, as the files in examples/ do"
	a := c.poll(ctx, "")
	switch {
	case a.err != nil && a.took >= quick:
		c.problem(mapURL, "a poll with wait=0 was not answered within %v: "+
			"this is an old comet.php, which always waits, or a program that hangs", quick)
	case a.err != nil:
		c.problem("start the web server, or correct the URL or the certificate",
			"%s does not answer: %s", c.client.url, a.err)
	case 502 <= a.status && a.status <= 504 && a.Error == "":
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
	case a.status != http.StatusOK || a.S == nil:
		c.problem(mapURL, "HTTP %d: NovComet does not answer here: %.60s", a.status, a.body)
	case !c.keepCursor(a):
		c.problem(mapURL, "this is an old comet.php, or another program that does not know precise polls: %.60s", a.body)
	default:
		c.ok("NovComet answers at %s, after %v", c.client.url, round(a.took))
		c.topic = "header"
		if cache := a.header.Get("Cache-Control"); strings.Contains(cache, "no-store") {
			c.ok("Cache-Control is no-store")
		} else {
			c.problem("remove what changes the headers of this URL: add_header, expires, Header set, or a cache",
				"Cache-Control is %q and not no-store: browsers and proxies may use old answers", cache)
		}
		return true
	}
	return false
}

// checkPublish tests whether everybody may publish by URL. It reports whether the check itself has
// published, by URL or in the store.
func (c *checker) checkPublish(ctx context.Context) bool {
	c.topic = "publish"
	method := http.MethodGet
	a := c.publishByURL(ctx, method)
	if a.status == http.StatusMethodNotAllowed {
		method = http.MethodPost
		a = c.publishByURL(ctx, method)
	}
	switch {
	case a.published():
		c.method = method
		c.warn("set publish.allow, or COMET_PUBLISH_ALLOW for one location; "+
			"do nothing if only this machine can reach the URL",
			"everybody who reaches the URL as this check does can publish without a name")
		return true
	case a.body == "false":
		c.problem("see directory and store above, and read the log",
			"HTTP %d false: the store does not accept a publication", a.status)
	case a.status == http.StatusTooManyRequests:
		c.ok("HTTP 429, not tested: this machine has published too often (publish.rate)")
	case a.status/100 == 4:
		c.ok("HTTP %d: not everybody who reaches the URL can publish", a.status)
	default:
		c.problem("read the web server's error log", "a publication gets no valid answer: %v", a)
	}
	err := c.publish(ctx)
	if err != nil {
		c.ok("the check cannot publish in the store either, so delivery was not tested: %v", err)
	}
	return err == nil
}

func (c *checker) publishByURL(ctx context.Context, method string, header ...string) answer {
	return c.client.send(ctx, quick, method, "publish="+url.QueryEscape(c.id.String()), header...)
}

// publish publishes the event again.
func (c *checker) publish(ctx context.Context) error {
	if c.method != "" {
		a := c.publishByURL(ctx, c.method)
		if a.published() {
			return nil
		}
		if a.status != http.StatusTooManyRequests || c.store == nil {
			return errors.New(a.String())
		}
	}
	if c.store == nil {
		return errors.New("it is not open")
	}
	_, err := c.store.Publish(ctx, c.id, nil)
	return err
}

// checkOwnPages tests whether NovComet recognizes the site's own pages. Without Sec-Fetch-Site, which
// browsers send only over https, NovComet compares the page's origin with Host. A proxy may have changed
// Host. NovComet compares before it applies publish.allow, so this test works even if nobody may publish.
func (c *checker) checkOwnPages(ctx context.Context) {
	c.topic = "own pages"
	u := c.client.url
	header := []string{"Origin", u.Scheme + "://" + u.Host}
	if u.Scheme == "https" {
		header = append(header, "Sec-Fetch-Site", "same-origin")
	}
	a := c.publishByURL(ctx, http.MethodPost, header...)
	if a.status == http.StatusMethodNotAllowed {
		a = c.publishByURL(ctx, http.MethodGet, header...)
	}
	switch {
	case a.status == http.StatusForbidden && strings.Contains(a.Error, "another site"):
		c.problem("pass on Host (nginx: proxy_set_header Host $http_host; Apache: ProxyPreserveHost On), "+
			"or list the site in origins",
			"HTTP 403: NovComet refuses pages of this site as another site's: it does not get %s as Host", u.Host)
	case a.err == nil:
		c.ok("HTTP %d: they are recognized", a.status)
	}
}
