package core_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"novcomet/core"
)

// Whatever comes in, the answer has a status that is meant and is JSON; and what is not allowed did not happen.
func FuzzEndpoint(f *testing.F) {
	good := sign(secret, 4_000_000_000, "private-*")
	f.Add("GET", "publish=a", "", []byte(nil), "", "", "")
	f.Add("GET", "subscribed[a]=1&subscribed[b]=now&wait=0", "", []byte(nil), "ann", "same-origin", "")
	f.Add("POST", "&1", form, []byte("subscribed[a]=1.5&publish=%zz"), "", "", "https://a.example")
	f.Add("PUT", "publish=a", "text/plain", []byte("data"), "", "cross-site", "null")
	f.Add("HEAD", "", "", []byte(nil), "*", "", "")
	f.Add("GET", "publish=user:bob:1", "", []byte(nil), "b?b", "none", "")
	f.Add("OPTIONS", "", "", []byte(nil), "", "cross-site", "HTTPS://A.example:443")
	f.Add("GET", "subscribed[private-1]=0.0&token="+good, "", []byte(nil), "", "", "")
	f.Add("GET", "subscribed[private-1]=0.0&token="+good[1:], "", []byte(nil), "", "", "")
	access := &core.Access{Origins: origins(f, "https://a.example")}
	var err error
	if access.Publish, err = core.ParsePatterns([]string{"a", "user:<user>:*"}); err != nil {
		f.Fatal(err)
	}
	if access.Subscribe, err = core.ParsePatterns([]string{"?*", "[^x]*"}); err != nil {
		f.Fatal(err)
	}
	if access.Signed, err = core.NewSigned([]string{"private-*"}, []string{secret}); err != nil {
		f.Fatal(err)
	}
	if access.Rate, err = core.ParseRate("1/h"); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, query, contentType string, body []byte, user, site, origin string) {
		store := newMemory()
		endpoint := core.NewEndpoint(store, core.Settings{Access: access, User: user})
		endpoint.Log = discard
		for range 2 { // the second publication is one too many
			r := httptest.NewRequest(http.MethodGet, "/", bytes.NewReader(body))
			r.Method, r.URL.RawQuery = method, query+"&subscribed[x]=0.0" // precise, so that nothing is held
			r.Header.Set("Content-Type", contentType)
			r.Header.Set("Sec-Fetch-Site", site)
			r.Header.Set("Origin", origin)
			w := httptest.NewRecorder()
			endpoint.ServeHTTP(w, r)
			switch w.Code {
			case 200, 204, 400, 403, 405, 413, 429:
			default:
				t.Errorf("%s %q: HTTP %d", method, query, w.Code)
			}
			if w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s %q: %q is no JSON", method, query, w.Body)
			}
			if with := w.Header().Get("Access-Control-Allow-Origin"); with != "" && with != "https://a.example" || w.Header().Get("Vary") != "Origin" {
				t.Errorf("%q may read: %v", origin, w.Header())
			}
		}
		for id := range store.stamps {
			if id.String() != "a" && (user == "" || !strings.HasPrefix(id.String(), "user:"+user+":")) || site != "" && site != "same-origin" && site != "none" && origin == "" {
				t.Errorf("%s %q: %q, from %q %q, published %q", method, query, user, site, origin, id)
			}
		}
	})
}
