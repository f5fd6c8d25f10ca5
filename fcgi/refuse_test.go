package main

import (
	"net/http"
	"strings"
	"testing"
)

// Whose page it is, the variables say; where only the body is too large, they are known.
func TestTooLargeAFormIsRefusedSoThatAListedSitesPageCanReadIt(t *testing.T) {
	t.Parallel()
	_, path := served(t, t.TempDir(), "COMET_MAX_REQUEST=4096")
	for _, test := range []struct{ origins, allowed string }{
		{"https://a.example", "https://a.example"},
		{"https://b.example", ""},
		{"", ""},
	} {
		variables := asked("")
		variables["REQUEST_METHOD"], variables["CONTENT_TYPE"] = http.MethodPost, "application/x-www-form-urlencoded"
		variables["HTTP_ORIGIN"], variables["COMET_ORIGINS"] = "https://a.example", test.origins
		r := ask(t, path, variables, "publish=a&"+strings.Repeat("x", 8000))
		if r.status != http.StatusRequestEntityTooLarge || r.header.Get("Access-Control-Allow-Origin") != test.allowed {
			t.Errorf("%q: HTTP %d %s, %v", test.origins, r.status, r.body, r.header)
		}
	}
}

// A poll is parked, and its answer written by another handler than the one that read it.
func TestAParkedPollsAnswerLetsAListedSitesPageRead(t *testing.T) {
	t.Parallel()
	_, path := served(t, t.TempDir())
	variables := asked("subscribed[never]=now")
	variables["HTTP_ORIGIN"], variables["COMET_ORIGINS"] = "https://a.example", "https://a.example"
	r := ask(t, path, variables, "")
	wantAnswer(t, r, http.StatusOK, `{"s":0,"at":{"never":"0.000000"}}`)
	if got := r.header.Get("Access-Control-Allow-Origin"); got != "https://a.example" || r.header.Get("Vary") != "Origin" {
		t.Errorf("header %v", r.header)
	}
}

func TestARefusedPollNeitherWaitsNorEndsTheConnection(t *testing.T) {
	t.Parallel()
	_, path := served(t, t.TempDir(), "COMET_SUBSCRIBE_ALLOW=news", "COMET_TRIES=100000", "COMET_SLEEP=1h")
	w := connect(t, path)
	for id := uint16(1); id < 4; id++ {
		w.send(t, sentRequest(id, 1, asked("subscribed[news]=1&subscribed[other]=now"), ""))
		w.wantResponse(t, id, http.StatusForbidden, `{"error":"subscribing to \"other\" is not allowed without a user who is logged in"}`)
	}
}
