package core

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"
)

// ErrOrigin is what every error of [ParseOrigins] wraps.
var ErrOrigin = errors.New("is not the origin of a site")

// Origins are other sites whose pages may publish here, and read the answers to their polls. They can only be made by
// [ParseOrigins]; the zero Origins are none.
type Origins struct {
	given bool
	all   bool
	sites map[string]bool
}

// ParseOrigins makes Origins of sites as a browser calls them: "https://example.com", with a port that is not the
// scheme's own behind a colon. "*" is every site.
func ParseOrigins(sites []string) (Origins, error) {
	o := Origins{given: len(sites) > 0, sites: map[string]bool{}}
	for _, site := range sites {
		if site == "*" {
			o.all = true
			continue
		}
		from, ok := parseOrigin(site)
		if u, err := url.Parse(site); !ok || err != nil || *u != (url.URL{Scheme: u.Scheme, Host: u.Host}) || strings.Contains(site, "*") {
			return Origins{}, fmt.Errorf("%.100q %w, such as https://example.com:8443", site, ErrOrigin)
		}
		o.sites[from.String()] = true
	}
	return o, nil
}

// UnmarshalText parses a list of origins, in the form that [ParseList] describes.
func (o *Origins) UnmarshalText(text []byte) (err error) {
	*o, err = parseListOf(text, ParseOrigins)
	return err
}

// origin is where a page comes from.
type origin struct{ scheme, host string }

// parseOrigin reads the origin of a URL, in the one form that there is for each: small letters, and no port that is the
// scheme's own.
func parseOrigin(text string) (origin, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Hostname() == "" || strings.ContainsFunc(u.Host, func(r rune) bool { return r > unicode.MaxASCII }) {
		return origin{}, false
	}
	host := strings.ToLower(u.Host)
	switch {
	case u.Port() == "":
		host = strings.TrimSuffix(host, ":")
	case u.Scheme == "http" && u.Port() == "80", u.Scheme == "https" && u.Port() == "443":
		host = strings.TrimSuffix(host, ":"+u.Port())
	}
	return origin{u.Scheme, host}, true
}

func (o origin) String() string { return o.scheme + "://" + o.host }

// list reports whether the page at the URL is one of these sites'.
func (o Origins) list(page string) bool {
	if o.all {
		return true
	}
	from, ok := parseOrigin(page)
	return ok && o.sites[from.String()]
}

// named are those of these sites that are called by their name: they are trusted with more than every site can be, for this
// site itself may be among them, behind a proxy.
func (o Origins) named() Origins {
	o.all = false
	return o
}

// foreign reports whether a browser sent the request for the page of another site that is none of these.
//
// Sec-Fetch-Site is what a browser says of it itself, over https and to localhost. Elsewhere the page's own address has to
// do; a page can keep it back from a GET, so only POST is safe there. What is no browser sends none of the three, and is
// nobody's tool but its user's.
func (o Origins) foreign(r *http.Request, s Settings) bool {
	page := r.Header.Get("Origin")
	if page == "" {
		page = r.Header.Get("Referer")
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "":
		return page != "" && !isOf(page, r.Host, s.Port) && !o.list(page)
	default:
		return !o.list(page)
	}
}

// isOf reports whether the page at the URL is of this host, or of this host and port where the host comes without. The scheme
// does not count: a proxy in front may have changed it.
func isOf(page, host, port string) bool {
	from, ok := parseOrigin(page)
	if !ok {
		return false
	}
	is := func(host string) bool {
		here, ok := parseOrigin(from.scheme + "://" + host)
		return ok && from.host == here.host
	}
	bare := strings.LastIndexByte(host, ':') <= strings.LastIndexByte(host, ']')
	return is(host) || bare && port != "" && is(host+":"+port)
}

// sharing is what an answer says to browsers about who may read it (CORS). It says so on every answer, also on a refusal:
// the page is to know what is wrong. The zero sharing says nothing, and the browser keeps the answer from other sites.
//
// It never allows credentials (Access-Control-Allow-Credentials): a listed site may read what everybody may, not what its
// visitor may who is logged in here. For that there are tokens.
type sharing struct {
	given bool
	with  string // the origin, or "*"; empty: none
}

func (o Origins) sharing(r *http.Request) sharing {
	if o.all {
		return sharing{true, "*"}
	}
	if page := r.Header.Get("Origin"); page != "" && o.list(page) {
		from, _ := parseOrigin(page) // Nobody else's words are to end up in a header.
		return sharing{true, from.String()}
	}
	return sharing{given: o.given}
}

// on returns the handler of the same answer that says so.
func (s sharing) on(answer http.Handler) http.Handler {
	if !s.given {
		return answer
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if s.with != "*" {
			h.Add("Vary", "Origin")
		}
		if s.with != "" {
			h.Set("Access-Control-Allow-Origin", s.with)
		}
		answer.ServeHTTP(w, r)
	})
}

// preflight answers OPTIONS, which a browser sends before anything that a form could not send.
func (s sharing) preflight(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Allow", methods)
	if s.with != "" {
		h.Set("Access-Control-Allow-Methods", methods)
		// Data has a Content-Type; a client that reads a stream with fetch sends the other two.
		h.Set("Access-Control-Allow-Headers", "Content-Type, Last-Event-ID, Cache-Control")
		h.Set("Access-Control-Max-Age", "7200") // seconds; the longest that Chromium heeds
	}
	w.WriteHeader(http.StatusNoContent)
}
