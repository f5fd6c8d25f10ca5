package core

import (
	"net/http"

	"novcomet/core/access"
)

// isCrossSite reports whether a page of another site made a browser send the request, and that site is not
// one of the allowed origins.
//
// Browsers say so in Sec-Fetch-Site, but only over HTTPS and to localhost. On plain HTTP, Origin or Referer
// are used; a page can suppress them in a GET, but not in a POST. A request without any of the three is not
// from a browser, so no page can have made it.
func isCrossSite(r *http.Request, c Client, allowed access.Origins) bool {
	page := r.Header.Get("Origin")
	if page == "" {
		page = r.Header.Get("Referer")
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "":
		return page != "" && !isSameHost(page, r.Host, c.Port) && !allowed.Allows(page)
	default:
		return !allowed.Allows(page)
	}
}

func isSameHost(page, host, port string) bool {
	origin, ok := access.ParseOrigin(page)
	return ok && origin.HasHost(host, port)
}

// cors are the headers that let pages of other sites read an answer. All answers have them, refusals too, so
// that the page learns what is wrong. The zero cors adds no header, and browsers keep the answer from other
// sites.
//
// Credentials are never allowed. A listed site may read what every client may, not what its logged-in visitor
// may. For that, there are tokens.
type cors struct {
	vary        bool   // The answer depends on Origin.
	allowOrigin string // an origin or "*"; "": none
}

// corsOf returns the headers of the answer to a page with this Origin; "": the request has none.
func corsOf(page string, allowed access.Origins) cors {
	if allowed.All() {
		return cors{allowOrigin: "*"}
	}
	c := cors{vary: allowed.Given()}
	if page != "" && allowed.Allows(page) {
		origin, _ := access.ParseOrigin(page) // The header gets our form of it, not the client's text.
		c.allowOrigin = origin.String()
	}
	return c
}

func (c cors) addTo(h http.Header) {
	if c.vary {
		h.Add("Vary", "Origin")
	}
	if c.allowOrigin != "" {
		h.Set("Access-Control-Allow-Origin", c.allowOrigin)
	}
}

// wrap returns an answer with the headers.
func (c cors) wrap(answer http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.addTo(w.Header())
		answer.ServeHTTP(w, r)
	})
}

// preflight answers OPTIONS. A browser sends it before a request that no form could send.
func (c cors) preflight(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Allow", methods)
	if c.allowOrigin != "" {
		h.Set("Access-Control-Allow-Methods", methods)
		// Publications with data have a Content-Type; a client that reads a stream with fetch sends the other
		// two.
		h.Set("Access-Control-Allow-Headers", "Content-Type, Last-Event-ID, Cache-Control")
		h.Set("Access-Control-Max-Age", "7200") // seconds; the most that Chromium accepts
	}
	w.WriteHeader(http.StatusNoContent)
}
