package check

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// checkPublish tests whether everybody may publish by URL. It reports whether the check itself can
// publish, by URL or in the store.
func (c *checker) checkPublish(ctx context.Context) bool {
	c.topic = "publish"
	const readLog = "read the web server's error log"
	a := c.publishByURL(ctx)
	c.viaURL = a.succeeded()
	switch {
	case c.viaURL:
		c.warn("set publish.allow, or COMET_PUBLISH_ALLOW for one location; "+
			"do nothing if only this machine can reach the URL",
			"everybody who reaches the URL as this check does can publish without a name")
		return true
	case a.err != nil:
		c.problem(readLog, "a publication is not answered: %s", a.err)
	case a.body == "false":
		c.problem("see directory and store above, and read the log",
			"HTTP %d false: the store does not accept a publication", a.status)
	case a.status == http.StatusTooManyRequests:
		c.ok("publish.rate refuses it for now: %s", a.Error)
	case a.status/100 == 4:
		c.ok("HTTP %d: not everybody who reaches the URL can publish", a.status)
	default:
		c.problem(readLog, "HTTP %d is not an answer to a publication: %.60s", a.status, a.body)
	}
	if c.store == nil {
		c.ok("the check can't publish, so delivery was not tested")
		return false
	}
	if _, err := c.store.Publish(ctx, c.id, nil); err != nil {
		c.ok("the check can't publish in the store %s either, so delivery was not tested: %v", c.config.Store, err)
		return false
	}
	return true
}

// succeeded reports whether the answer confirms a publication.
func (a answer) succeeded() bool {
	return a.err == nil && a.status == http.StatusOK && a.body == "true"
}

func (c *checker) publishByURL(ctx context.Context, header ...string) answer {
	return c.client.get(ctx, quick, publishQuery(c.id.String()), header...)
}

// publish publishes the event, and returns when that began.
func (c *checker) publish(ctx context.Context) (begin time.Time, err error) {
	begin = time.Now()
	if c.viaURL {
		if a := c.publishByURL(ctx); !a.succeeded() {
			err = errors.New(a.String())
		}
	} else {
		_, err = c.store.Publish(ctx, c.id, nil)
	}
	return begin, err
}

// checkOtherSites tests whether a page of another site can make a visitor's browser publish.
func (c *checker) checkOtherSites(ctx context.Context) {
	c.topic = "other sites"
	a := c.publishByURL(ctx,
		"Origin", "https://novcomet-check.invalid", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors")
	switch {
	case a.succeeded():
		c.problem("pass Origin, Referer and Sec-Fetch-Site on to NovComet, and list in origins only sites that may publish",
			"the page of any other site can make a visitor's browser publish here")
	case a.err == nil:
		c.ok("HTTP %d: their pages can't publish here", a.status)
	}
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
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		a := c.client.send(ctx, quick, method, publishQuery(c.id.String()), nil, header...)
		switch {
		case a.err != nil || a.status == http.StatusMethodNotAllowed:
			continue
		case a.status == http.StatusForbidden && strings.Contains(a.Error, "another site"):
			c.problem("pass on Host (nginx: proxy_set_header Host $http_host; Apache: ProxyPreserveHost On), "+
				"or list the site in origins",
				"HTTP 403: NovComet refuses pages of this site as another site's: it does not get %s as Host", u.Host)
		default:
			c.ok("HTTP %d: they are recognized", a.status)
		}
		return
	}
}
