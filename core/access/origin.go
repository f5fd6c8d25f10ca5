package access

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// Origins are other sites whose pages may publish, and may read the answers to their polls. Only
// [ParseOrigins] makes them. The zero Origins contain no site.
type Origins struct {
	all   bool
	sites map[string]bool
}

// ParseOrigins makes Origins of sites as browsers name them: "https://example.com", followed by a colon and
// the port if that is not the default one of the scheme. "*" is every site.
func ParseOrigins(sites []string) (Origins, error) {
	o := Origins{sites: map[string]bool{}}
	for _, site := range sites {
		if site == "*" {
			o.all = true
			continue
		}
		origin, ok := ParseOrigin(site)
		u, err := url.Parse(site)
		if !ok || err != nil || *u != (url.URL{Scheme: u.Scheme, Host: u.Host}) || strings.Contains(site, "*") {
			return Origins{}, fmt.Errorf("%.100q is not the origin of a site, such as https://example.com:8443", site)
		}
		o.sites[origin.String()] = true
	}
	return o, nil
}

// Given reports whether the list contains a site, or "*".
func (o Origins) Given() bool { return o.all || len(o.sites) > 0 }

// All reports whether the list contains "*".
func (o Origins) All() bool { return o.all }

// Allows reports whether the page with this URL belongs to one of the sites.
func (o Origins) Allows(page string) bool {
	if o.all {
		return true
	}
	origin, ok := ParseOrigin(page)
	return ok && o.sites[origin.String()]
}

// Explicit returns the list without "*". Its sites are trusted more than every site can be.
func (o Origins) Explicit() Origins {
	o.all = false
	return o
}

// Origin is the scheme and host of a page, in one form: lower case, without the default port of the scheme.
type Origin struct{ Scheme, Host string }

// ParseOrigin returns the origin of a URL.
func ParseOrigin(text string) (origin Origin, ok bool) {
	u, err := url.Parse(text)
	isNotASCII := func(r rune) bool { return r > unicode.MaxASCII }
	if err != nil || u.Scheme == "" || u.Hostname() == "" || strings.ContainsFunc(u.Host, isNotASCII) {
		return Origin{}, false
	}
	host := strings.ToLower(u.Host)
	switch {
	case u.Port() == "":
		host = strings.TrimSuffix(host, ":")
	case u.Scheme == "http" && u.Port() == "80", u.Scheme == "https" && u.Port() == "443":
		host = strings.TrimSuffix(host, ":"+u.Port())
	}
	return Origin{u.Scheme, host}, true
}

// String returns the origin as a browser sends it.
func (o Origin) String() string { return o.Scheme + "://" + o.Host }

// HasHost reports whether the origin is of this host, whatever the scheme is: a proxy may have changed it.
// The port is used if host contains none.
func (o Origin) HasHost(host, port string) bool {
	matches := func(host string) bool {
		other, ok := ParseOrigin(o.Scheme + "://" + host)
		return ok && o.Host == other.Host
	}
	hasPort := strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']')
	return matches(host) || !hasPort && port != "" && matches(host+":"+port)
}
