package check

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// door is a URL, and what it answers without a password.
type door struct {
	url       string
	novcomet  bool
	subscribe int // HTTP status of a poll
	publish   int // HTTP status of a publication
}

// doors looks for other URLs of this host where NovComet answers with fewer restrictions: the one of an old installation, and
// other spellings of the same path, which the web server may map to NovComet without the rules of the URL.
func (w *web) doors(ctx context.Context) {
	const check = "other URLs"
	front := w.door(ctx, w.url)
	if !front.novcomet && !refused(front.subscribe) {
		return
	}
	closed := true
	for _, u := range spellings(w.url) {
		other := w.door(ctx, u)
		var more []string
		if other.subscribe == http.StatusOK && refused(front.subscribe) {
			more = append(more, "subscribe")
		}
		if other.publish == http.StatusOK && refused(front.publish) {
			more = append(more, "publish")
		}
		if !other.novcomet || len(more) == 0 {
			continue
		}
		closed = false
		w.problem(check, "close it, or give it the same rules. After a change from CGI: a2disconf comet-cgi serve-cgi-bin, and remove /usr/lib/cgi-bin/comet.cgi",
			"NovComet also answers at %s, and there everybody can %s; at %s the answer is HTTP %d",
			other.url, strings.Join(more, " and "), front.url, max(front.subscribe, front.publish))
	}
	if closed {
		w.ok(check, "no other spelling of the URL, and no /cgi-bin/comet.cgi, allows more")
	}
}

func refused(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusMethodNotAllowed
}

// door asks a URL. A HEAD is answered as the publication would be, and publishes nothing.
func (w *web) door(ctx context.Context, u *url.URL) door {
	bare := *u
	bare.User = nil
	at := *w
	at.url = &bare
	poll := at.now(ctx)
	d := door{url: bare.String(), subscribe: poll.status, novcomet: poll.err == nil && poll.isMap && (at.seen(poll) || poll.Error != "")}
	if d.novcomet || refused(d.subscribe) {
		d.publish = at.send(ctx, quick, http.MethodHead, "publish="+url.QueryEscape(w.id.String()), nil).status
	}
	return d
}

// spellings returns the URL of Debian's CGI directory, and the URL in upper case, with two slashes and with an encoded letter.
func spellings(u *url.URL) (all []*url.URL) {
	with := func(path, raw string) {
		other := *u
		other.Path, other.RawPath = path, raw
		if other.String() != u.String() {
			all = append(all, &other)
		}
	}
	with("/cgi-bin/comet.cgi", "")
	with(strings.ToUpper(u.Path), "")
	with("/"+u.Path, "")
	if last := strings.LastIndexByte(u.Path, '/') + 1; last < len(u.Path) && u.RawPath == "" {
		const hex = "0123456789abcdef"
		letter := u.Path[last]
		with(u.Path, u.Path[:last]+"%"+string([]byte{hex[letter>>4], hex[letter&15]})+u.Path[last+1:])
	}
	return all
}
