package check

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// publishing looks at who may publish by URL, and reports whether the check can publish at all: by URL, or else in the store.
func (w *web) publishing(ctx context.Context) bool {
	const check = "publish"
	a := w.byURL(ctx)
	switch {
	case a.err != nil:
		w.problem(check, "read the web server's error log", "a publication is not answered: %s", reason(a.err))
		w.closed = true
	case a.status == http.StatusOK && a.body == "true":
		w.warn(check, "set publish.allow, or COMET_PUBLISH_ALLOW for one location; do nothing if only this machine can reach the URL",
			"everybody who reaches the URL as this check does can publish without a name")
		return true
	case a.body == "false":
		w.problem(check, "see directory and store above, and read the log", "HTTP %d false: the store does not accept a publication", a.status)
		w.closed = true
	case a.status == http.StatusTooManyRequests:
		w.ok(check, "publish.rate refuses it for now: %s", a.Error)
		w.closed = true
	case a.status/100 == 4:
		w.ok(check, "HTTP %d: not everybody who reaches the URL can publish", a.status)
		w.closed = true
	default:
		w.problem(check, "read the web server's error log", "HTTP %d is not an answer to a publication: %.60s", a.status, a.body)
		w.closed = true
	}
	if w.store == nil {
		w.ok(check, "the check can't publish, so delivery was not tested")
		return false
	}
	if _, err := w.store.Publish(ctx, w.id); err != nil {
		w.ok(check, "the check can't publish in the store %s either, so delivery was not tested: %v", w.config.Store, err)
		return false
	}
	return true
}

func (w *web) byURL(ctx context.Context, header ...string) answer {
	return w.ask(ctx, quick, "publish="+url.QueryEscape(w.id.String()), header...)
}

// publish publishes the event in the way that is open, and returns when that had begun.
func (w *web) publish(ctx context.Context) (begin time.Time, err error) {
	begin = time.Now()
	if w.closed {
		_, err = w.store.Publish(ctx, w.id)
		return begin, err
	}
	return begin, w.byURL(ctx).err
}

// foreign looks at whether the page of another site can make a visitor's browser publish.
func (w *web) foreign(ctx context.Context) {
	const check = "other sites"
	a := w.byURL(ctx, "Origin", "https://novcomet-check.invalid", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors")
	switch {
	case a.err != nil:
	case a.status == http.StatusOK && a.body == "true":
		w.problem(check, "pass Origin, Referer and Sec-Fetch-Site on to NovComet, and list in origins only sites that may publish",
			"the page of any other site can make a visitor's browser publish here")
	default:
		w.ok(check, "HTTP %d: their pages can't publish here", a.status)
	}
}

// own looks at whether NovComet recognizes the site's own pages. Without https a browser does not say that a page is of
// the same site; then NovComet compares the page's origin with Host, which a proxy may have changed. The origin is compared
// before publish.allow, so that this shows even where nobody may publish.
func (w *web) own(ctx context.Context) {
	const check = "own pages"
	header := []string{"Origin", w.url.Scheme + "://" + w.url.Host}
	if w.url.Scheme == "https" {
		header = append(header, "Sec-Fetch-Site", "same-origin")
	}
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		a := w.send(ctx, quick, method, "publish="+url.QueryEscape(w.id.String()), nil, header...)
		switch {
		case a.err != nil || a.status == http.StatusMethodNotAllowed:
			continue
		case a.status == http.StatusForbidden && strings.Contains(a.Error, "another site"):
			w.problem(check, "pass on Host (nginx: proxy_set_header Host $http_host; Apache: ProxyPreserveHost On), or list the site in origins",
				"HTTP 403: a page of this site is taken for another site's: NovComet does not get %s as Host", w.url.Host)
		default:
			w.ok(check, "HTTP %d: they are recognized", a.status)
		}
		return
	}
}
