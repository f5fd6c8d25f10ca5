package check

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// access is what a URL allows without a password.
type access struct {
	url        string
	isNovComet bool
	subscribe  int // HTTP status of a poll
	publish    int // HTTP status of a publication
}

// checkOtherURLs looks for URLs of this host where NovComet answers with fewer restrictions: the URL of
// an old installation, and other spellings of the path that the web server's rules may not cover.
func (c *checker) checkOtherURLs(ctx context.Context) {
	c.topic = "other URLs"
	main := c.access(ctx, c.client.url)
	if !main.isNovComet && !isRefusal(main.subscribe) {
		return
	}
	closed := true
	for _, u := range otherURLs(c.client.url) {
		other := c.access(ctx, u)
		var more []string
		if other.subscribe == http.StatusOK && isRefusal(main.subscribe) {
			more = append(more, "subscribe")
		}
		if other.publish == http.StatusOK && isRefusal(main.publish) {
			more = append(more, "publish")
		}
		if other.isNovComet && len(more) > 0 {
			closed = false
			c.problem("close it, or give it the same rules. After a change from CGI: a2disconf comet-cgi serve-cgi-bin, "+
				"and remove /usr/lib/cgi-bin/comet.cgi",
				"NovComet also answers at %s, and there everybody can %s; at %s the answer is HTTP %d",
				other.url, strings.Join(more, " and "), main.url, max(main.subscribe, main.publish))
		}
	}
	if closed {
		c.ok("no other spelling of the URL, and no /cgi-bin/comet.cgi, allows more")
	}
}

func isRefusal(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusMethodNotAllowed
}

// access sends a poll and the HEAD of a publication, which publishes nothing.
func (c *checker) access(ctx context.Context, u *url.URL) access {
	bare := *u
	bare.User = nil
	at, id := client{&bare, c.client.http}, c.id.String()
	poll := at.poll(ctx, id)
	a := access{url: bare.String(), subscribe: poll.status}
	a.isNovComet = poll.err == nil && poll.isJSON && (poll.At[id] != "" || poll.Error != "")
	if a.isNovComet || isRefusal(a.subscribe) {
		a.publish = at.send(ctx, quick, http.MethodHead, publishQuery(id), nil).status
	}
	return a
}

// otherURLs returns the URL of Debian's CGI directory, and the URL in upper case, with two slashes and
// with an encoded letter.
func otherURLs(u *url.URL) (all []*url.URL) {
	add := func(path, raw string) {
		other := *u
		other.Path, other.RawPath = path, raw
		if other.String() != u.String() {
			all = append(all, &other)
		}
	}
	add("/cgi-bin/comet.cgi", "")
	add(strings.ToUpper(u.Path), "")
	add("/"+u.Path, "")
	if last := strings.LastIndexByte(u.Path, '/') + 1; last < len(u.Path) && u.RawPath == "" {
		add(u.Path, fmt.Sprintf("%s%%%02x%s", u.Path[:last], u.Path[last], u.Path[last+1:]))
	}
	return all
}
